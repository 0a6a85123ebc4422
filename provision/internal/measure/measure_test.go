package measure

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
)

// local runs the script on this machine, with etcd's data below a directory.
type local struct {
	dir  string
	tool string // a directory of tools that are found first
}

func (local) Name() string { return "here" }

func (l local) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	text := make([]byte, 1<<16)
	n, _ := c.Stdin.Read(text)
	moved := strings.ReplaceAll(string(text[:n]), host.Quote(manifests.EtcdDataDir), host.Quote(l.dir))
	if l.tool != "" {
		moved = strings.ReplaceAll(moved, "seconds="+host.Quote("30"), "seconds=1")
		moved = "PATH=" + host.Quote(l.tool) + ":$PATH\n" + moved
	}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Stdin = strings.NewReader(moved)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	res := host.Result{Stdout: []byte("Welcome!\n" + out.String()), Stderr: []byte(errs.String())}
	if exit, ok := err.(*exec.ExitError); ok {
		res.Exit, err = exit.ExitCode(), nil
	}
	return res, err
}

// Every write is timed, on the disk of the directory that the data will be made in,
// and nothing is left there.
func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	f, err := Take(t.Context(), local{dir: filepath.Join(dir, "etcd")}, Scope{Writes: 20, Live: true, Peers: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Writes) != 20 || f.Writes[0] <= 0 || f.Writes[0] > time.Minute || f.Live {
		t.Errorf("writes: %v", f.Writes)
	}
	if pings := f.Pings[netip.MustParseAddr("127.0.0.1")]; !f.NoPing && len(pings) == 0 {
		t.Errorf("pings: %v", f.Pings)
	}
	if f.Steal < 0 || f.Steal > 100 {
		t.Errorf("steal: %v", f.Steal)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A disk that cannot be written to is no quick one, and no reason not to tell the rest.
func TestWritesThatWereNotMade(t *testing.T) {
	f, err := Take(t.Context(), local{dir: "/proc/etcd"}, Scope{Writes: 3, Live: true})
	if err != nil || f.Unwritten != "0 of 3 writes to the disk of /var/lib/etcd were made" || len(f.Writes) > 0 || f.Steal < 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// dd is a directory with a dd that does something else.
func dd(t *testing.T, script string) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dd"), []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return dir
}

// Of a disk that would take too long for all writes those are told that it made.
func TestASlowDiskIsMeasured(t *testing.T) {
	tools := dd(t, "sleep 0.3; echo '2300 bytes copied, 0.7 s, 3.3 kB/s' >&2\n")
	f, err := Take(t.Context(), local{t.TempDir(), tools}, Scope{Writes: 50, Live: true})
	if err != nil || !f.Slow || f.Unwritten != "" || len(f.Writes) == 0 || len(f.Writes) > 10 || Percentile(f.Writes, 99) != 700*time.Millisecond {
		t.Errorf("%+v, %v", f, err)
	}
	// One that stops to be written to is no slow one.
	tools = dd(t, `case "$*" in *seek=1*) exit 1 ;; esac; echo '2300 bytes copied, 0.7 s, 3.3 kB/s' >&2`)
	f, err = Take(t.Context(), local{t.TempDir(), tools}, Scope{Writes: 3, Live: true})
	if err != nil || f.Slow || f.Unwritten != "2 of 3 writes to the disk of /var/lib/etcd were made" || len(f.Writes) > 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// Killed while it writes it leaves nothing; and what one left whom that befell before is
// taken away.
func TestNothingIsLeftByWhoIsKilled(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".drover-fsync.1"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Take(t.Context(), local{dir, dd(t, "kill -9 $PPID\n")}, Scope{Writes: 3, Live: true}); err == nil {
		t.Errorf("it was not killed: %+v", f)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Where an etcd runs, whosever it is, its disk is left alone, unless that is asked for.
func TestALiveEtcdIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	etcd := filepath.Join(dir, "etcd")
	if err := os.Symlink(sleep, etcd); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(etcd, "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	data := t.TempDir()
	f, err := Take(t.Context(), local{dir: data}, Scope{Writes: 3})
	if err != nil || !f.Live || len(f.Writes) > 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = Take(t.Context(), local{dir: data}, Scope{Writes: 3, Live: true}); err != nil || len(f.Writes) != 3 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestParse(t *testing.T) {
	const told = "Welcome!\n" + marker + `before
cpu  100 0 100 700 0 0 0 100 0 0
` + marker + `writes
1+0 records in
1+0 records out
2300 bytes (2.3 kB, 2.2 KiB) copied, 0.0123 s, 187 kB/s
1+0 records in
1+0 records out
2300 bytes (2.3 kB, 2.2 KiB) copied, 4.5e-05 s, 51 MB/s
` + marker + `ping 10.90.0.12
PING 10.90.0.12 (10.90.0.12) 56(84) bytes of data.
64 bytes from 10.90.0.12: icmp_seq=1 ttl=64 time=0.250 ms
64 bytes from 10.90.0.12: icmp_seq=2 ttl=64 time=12 ms
` + marker + `ping 10.90.0.13
` + marker + `after
cpu  150 0 150 780 0 0 0 120 0 0
` + marker + "end\n"
	got, err := parse(told)
	want := Figures{
		Writes: []time.Duration{12300 * time.Microsecond, 45 * time.Microsecond}, Steal: 10,
		Pings: map[netip.Addr][]time.Duration{
			netip.MustParseAddr("10.90.0.12"): {250 * time.Microsecond, 12 * time.Millisecond}, netip.MustParseAddr("10.90.0.13"): nil,
		},
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for cut := 0; cut < len(told)-len("end")-1; cut += 3 {
		if f, err := parse(told[:cut]); err == nil {
			t.Fatalf("cut after %d bytes it reads as %+v", cut, f)
		}
	}
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for n := range 200 {
		all = append(all, time.Duration(200-n))
	}
	for p, want := range map[int]time.Duration{50: 100, 99: 198, 100: 200} {
		if got := Percentile(all, p); got != want {
			t.Errorf("p%d of 1 to 200 is %d", p, got)
		}
	}
	if Percentile(nil, 99) != 0 || Percentile(all[:1], 99) != 200 {
		t.Error("of none or one")
	}
}
