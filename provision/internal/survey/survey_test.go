package survey

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/pki"
)

// local runs the survey on this machine, as its shell is and with what a start-up
// file would print before it.
type local struct{ prelude string }

func (local) Name() string { return "here" }

func (l local) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Stdin = c.Stdin
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	res := host.Result{Stdout: []byte(l.prelude + out.String()), Stderr: []byte(errs.String())}
	if exit, ok := err.(*exec.ExitError); ok {
		res.Exit, err = exit.ExitCode(), nil
	}
	return res, err
}

// The script tells what this machine is, of which some can be known otherwise.
func TestThisMachine(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ahead := func() time.Time { return time.Now().Add(-300 * time.Second) } // what is compared with is behind
	f, err := Probe(t.Context(), local{"Welcome!\n@@ not a section\n"}, Scope{
		Commands: []string{"sh", "no-such-command"}, Units: []string{"kubelet.service"}, Names: []string{"localhost", "no-such-name.invalid"},
	}, ahead)
	if err != nil {
		t.Fatal(err)
	}
	if f.Host != "here" || f.OS.ID == "" || f.Kernel == "" || f.Arch == "" || f.CPUs < 1 || f.Memory < 1<<20 || f.Hostname == "" || f.Login == "" {
		t.Errorf("machine: %+v", f)
	}
	if d := f.Clock.Offset - 300*time.Second; d.Abs() > f.Clock.Error+time.Millisecond || f.Clock.Error > 20*time.Second {
		t.Errorf("clock: %+v", f.Clock)
	}
	if d := cmp.Diff(map[string]bool{"sh": true, "no-such-command": false}, f.Commands); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]bool{"localhost": true, "no-such-name.invalid": false}, f.Resolves); d != "" {
		t.Error(d)
	}
	if len(f.Disks) != 6 || f.Disks[0].Path != "/" || f.Disks[0].Mount != "/" || f.Disks[0].Size < 1<<20 || f.Disks[0].Free > f.Disks[0].Size {
		t.Errorf("disks: %+v", f.Disks)
	}
	if f.Cgroup != 1 && f.Cgroup != 2 || len(f.Features) != 4 {
		t.Errorf("kernel: %d, %v", f.Cgroup, f.Features)
	}
	mine := netip.MustParseAddrPort(l.Addr().String())
	for _, got := range f.Listeners {
		if got.Address == mine {
			if exe, _ := os.Executable(); got.PID != os.Getpid() || got.Exe != exe || got.Program == "" {
				t.Errorf("who listens: %+v", got)
			}
			return
		}
	}
	t.Errorf("%s is not among %+v", mine, f.Listeners)
}

// Whatever of an answer is lost, the rest is not taken for a host.
func TestAnAnswerWithoutItsEnd(t *testing.T) {
	whole, err := os.ReadFile("testdata/host.txt")
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole)-len("end")-1; cut += 5 {
		if f, err := parse(string(whole[:cut]), time.Time{}, time.Time{}); err == nil {
			t.Fatalf("cut after %d bytes it reads as %+v", cut, f)
		}
	}
}

func TestParse(t *testing.T) {
	text, err := os.ReadFile("testdata/host.txt")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	got, err := parse(string(text), at, at.Add(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	prefix, socket := netip.MustParsePrefix, netip.MustParseAddrPort
	want := Facts{
		OS: OS{"debian", "12", "Debian GNU/Linux 12 (bookworm)"}, Kernel: "6.1.0-13-amd64", Arch: "x86_64", CPUs: 4, Memory: 8 << 30, Swap: 1 << 20, Conntrack: 262144,
		// Told at 0.9 s and 1.3 s of the 2 s, by a clock that is 10 s ahead.
		Clock: Clock{Offset: 10*time.Second + 100*time.Millisecond, Error: 800 * time.Millisecond},
		Login: "ops", Sudo: true, Hostname: "n1", MachineID: "8588d02f10df320ba3bb7d04b207c938", ProductUUID: "u-1", BootID: "7388d5a7",
		NetworkSeen: true,
		Interfaces: []Interface{
			{Name: "lo", MTU: 65536, Addresses: []netip.Prefix{prefix("127.0.0.1/8"), prefix("::1/128")}},
			{Name: "eth0", MTU: 1500, MAC: "ce:a2:2f:2f:9a:4c", Addresses: []netip.Prefix{prefix("10.98.0.21/24")}},
			{Name: "ppp0", MTU: 1492, Addresses: []netip.Prefix{prefix("10.0.0.1/32")}},
		},
		Routes: []Route{
			{To: prefix("0.0.0.0/0"), Via: "10.98.0.254", Interface: "eth0"},
			{To: prefix("10.98.0.0/24"), Interface: "eth0", Proto: "kernel"},
			{To: prefix("10.100.1.0/26"), Proto: "bird"},
			{To: prefix("10.100.1.7/32"), Interface: "cali1"},
			{To: prefix("10.5.0.0/16")},
		},
		Listeners: []Listener{
			{Address: socket("0.0.0.0:22"), PID: 77, Program: "sshd", Exe: "/usr/sbin/sshd", Unit: "ssh.service"},
			{Address: socket("127.0.0.1:2381"), PID: 90, Program: "two words", Exe: "/opt/drover/etcd/3/etcd", Unit: "etcd.service"},
			{Address: socket("[::]:179"), PID: 99, Program: "bird", Pod: true},
			{Address: socket("[::1]:10250")},
		},
		Nameservers: []string{"10.255.255.53", "::1"}, Resolves: map[string]bool{"mirror": true, "registry": false},
		Disks: []Disk{
			{Path: "/", Mount: "/", Source: "overlay", Type: "overlay", Size: 264212084 << 10, Free: 54608904 << 10, Inodes: 16777216, InodesFree: 15899034},
			{Path: "/opt", Mount: "/a b", Source: "/dev/vdb", Type: "btrfs", Size: 1024, Free: 0},
		},
		ReadOnly: []string{"/etc"}, Commands: map[string]bool{"nft": true}, Features: map[string]Answer{Overlay: Yes, NFTables: Unknown}, Cgroup: 2,
		Units: []Unit{
			{Name: "kubelet.service", Active: "active", Enabled: "enabled", Fragment: "/etc/systemd/system/kubelet.service", Ours: true},
			{Name: "docker.service", Active: "inactive", Enabled: "disabled", Fragment: "/lib/systemd/system/docker.service"},
		},
		Left:  Left{Kubernetes: []string{"pki"}, CNI: []string{"10-calico.conflist"}, EtcdData: true},
		Drove: Drove{Member: true, Cluster: "one", Began: true, Etcd: true},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A member's authorities are told by what their certificates say.
func TestAuthorities(t *testing.T) {
	text, err := os.ReadFile("testdata/host.txt")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA("etcd-ca", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	told := strings.Replace(string(text), marker+"finish", marker+"authorities\n"+garbage+string(ca.CertPEM())+"no certificate\n"+marker+"finish", 1)
	got, err := parse(told, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]pki.Description{ca.Describe()}, got.Authorities); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for _, a := range pki.CAs() {
		if !strings.Contains((Scope{}).Script(), a.Cert.Path) {
			t.Errorf("it does not look at %s", a.Cert.Path)
		}
	}
}

// The script writes nothing: nowhere but to its own output and to nothing at all,
// and by no command that is not known to look only.
func TestTheScriptOnlyLooks(t *testing.T) {
	for _, m := range regexp.MustCompile(`>+\s*(\S+)`).FindAllStringSubmatch(listenersScript+script, -1) {
		if to := strings.TrimRight(m[1], `;)"`); to != "/dev/null" && to != "&1" {
			t.Errorf("it writes to %s", to)
		}
	}
	// Run with these programs alone, and no others, it gets to its end.
	bin := t.TempDir()
	for _, name := range []string{"sh", "cat", "date", "uname", "nproc", "id", "ip", "find", "readlink", "df", "stat", "systemctl", "timeout", "getent"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "sh"), "-s")
	c.Env = []string{"PATH=" + bin}
	c.Stdin = strings.NewReader(strings.Replace(Scope{Units: []string{"kubelet.service"}}.Script(), "PATH=$PATH:/usr/sbin:/sbin\n", "", 1))
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil || strings.Contains(errs.String(), "not found") || !strings.HasSuffix(out.String(), marker+"end\n") {
		t.Errorf("%v: %s", err, errs.String())
	}
}
