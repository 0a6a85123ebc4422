package imish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// lab is a real FRR in one network namespace and a BIRD in another, joined by
// a veth. Everything ends with the test, also when it fails.
type lab struct {
	t         *testing.T
	dir       string // FRR's sockets and saved configuration
	router    string // namespaces
	neighbor  string
	shell     Shell
	out, errs bytes.Buffer
}

const (
	routerAddr = "10.1.20.5"
	birdAddr   = "10.1.20.20"
)

func newLab(t *testing.T, birdConfig string) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real daemons")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	for _, f := range []string{"/usr/lib/frr/zebra", "/usr/lib/frr/bgpd", "/usr/lib/frr/staticd", "/usr/bin/vtysh", "/usr/sbin/bird", "/usr/sbin/ip"} {
		if _, err := os.Stat(f); err != nil {
			t.Skipf("needs Debian's frr, bird and iproute2: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "imish-") // not t.TempDir: user frr could not enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{t: t, dir: dir}
	l.giveToFRR()
	id := strconv.Itoa(os.Getpid())
	l.router, l.neighbor = l.namespace("imr"+id), l.namespace("imb"+id)
	l.ip("-n", l.router, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", l.neighbor)
	for ns, addr := range map[string]string{l.router: routerAddr, l.neighbor: birdAddr} {
		l.ip("-n", ns, "addr", "add", addr+"/24", "dev", "eth0")
		l.ip("-n", ns, "link", "set", "eth0", "up")
		l.ip("-n", ns, "link", "set", "lo", "up")
	}
	l.shell = Shell{FRR: Vtysh{Args: []string{"--vty_socket", dir, "--config_dir", dir}}, Hostname: "bigip-1", Stdout: &l.out, Stderr: &l.errs}
	for _, daemon := range []string{"zebra", "bgpd", "staticd"} {
		l.start(l.router, "/usr/lib/frr/"+daemon, "-u", "frr", "-g", "frr", "--vty_socket", dir, "-z", dir+"/zserv.api",
			"-i", filepath.Join(dir, daemon+".pid"), "-f", "/dev/null", "-P", "0")
		labkit.Await(l.t, time.Minute, daemon+" answers", func() error {
			_, err := os.Stat(filepath.Join(dir, daemon+".vty"))
			return err
		})
	}
	labkit.Await(l.t, time.Minute, "vtysh reaches all daemons", func() error {
		_, err := l.shell.FRR.Show(t.Context(), "show running-config")
		return err
	})
	conf := filepath.Join(dir, "bird.conf")
	if err := os.WriteFile(conf, []byte(birdConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	l.start(l.neighbor, "/usr/sbin/bird", "-f", "-c", conf, "-s", filepath.Join(dir, "bird.ctl"), "-P", filepath.Join(dir, "bird.pid"))
	return l
}

func (l *lab) giveToFRR() {
	l.t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		l.t.Skipf("needs the user frr: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	conf := filepath.Join(l.dir, "vtysh.conf")
	if err := errors.Join(os.Chmod(l.dir, 0o755), os.WriteFile(conf, []byte("service integrated-vtysh-config\n"), 0o644), os.Chown(l.dir, uid, gid)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) namespace(name string) string {
	l.t.Helper()
	l.ip("netns", "add", name)
	l.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			l.t.Errorf("leaving namespace %s behind: %v: %s", name, err, out)
		}
	})
	return name
}

func (l *lab) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// start runs a daemon in the foreground, so that its process is ours to end.
func (l *lab) start(ns string, argv ...string) {
	l.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns}, argv...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if l.t.Failed() {
			l.t.Logf("%s said:\n%s", argv[0], out.String())
		}
	})
}

// imish runs the shell once.
func (l *lab) imish(args ...string) (status int, stdout, stderr string) {
	l.t.Helper()
	l.out.Reset()
	l.errs.Reset()
	status = l.shell.Run(l.t.Context(), args)
	return status, l.out.String(), l.errs.String()
}

// configure applies a file of ZebOS lines, which must succeed.
func (l *lab) configure(lines string) {
	l.t.Helper()
	if status, out, errs := l.imish("-f", l.file(lines)); status != 0 || out+errs != "" {
		l.t.Fatalf("configuring: status %d\n%s%s", status, out, errs)
	}
}

func (l *lab) file(lines string) string {
	l.t.Helper()
	f := filepath.Join(l.t.TempDir(), "zebos")
	if err := os.WriteFile(f, []byte(lines), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return f
}

func (l *lab) show(command string) string {
	l.t.Helper()
	status, out, errs := l.imish("-e", command)
	if status != 0 || errs != "" {
		l.t.Fatalf("%s: status %d\n%s%s", command, status, out, errs)
	}
	return out
}

func (l *lab) awaitShown(command string, want ...string) string {
	l.t.Helper()
	var out string
	labkit.Await(l.t, time.Minute, command, func() error {
		out = l.show(command)
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("no %q in:\n%s", w, out)
			}
		}
		return nil
	})
	return out
}
