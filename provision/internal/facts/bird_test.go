package facts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
)

// elsewhere runs probes on this machine, with processes of the test's own.
type elsewhere struct {
	local
	proc string
}

func (e elsewhere) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	script := new(strings.Builder)
	if _, err := c.Stdin.(*strings.Reader).WriteTo(script); err != nil {
		return host.Result{}, err
	}
	c.Stdin = strings.NewReader(strings.ReplaceAll(script.String(), "/proc/[", e.proc+"/["))
	return e.local.Probe(ctx, c)
}

// process adds one, on the host's own network.
func (e elsewhere) process(t *testing.T, pid, comm string, argv ...string) {
	t.Helper()
	e.processOn(t, "/proc/self/ns/net", pid, comm, argv...)
}

func (e elsewhere) processOn(t *testing.T, network, pid, comm string, argv ...string) {
	t.Helper()
	dir := filepath.Join(e.proc, pid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"comm": comm + "\n", "cmdline": strings.Join(argv, "\x00") + "\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "ns"), 0o755), os.Symlink(network, filepath.Join(dir, "ns/net"))); err != nil {
		t.Fatal(err)
	}
}

// The probe carries BIRD's answer along, of Calico's BIRD and nobody else's; that
// none runs differs from one that does not answer.
func TestProbeAsksBIRD(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	answers := func(script string) { // in timeout's place: it would chroot
		if err := os.WriteFile(filepath.Join(bin, "timeout"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	answers(`echo "$@"`)
	h := elsewhere{proc: t.TempDir()}
	h.process(t, "7", "bird", "bird", "-R", "-s", "/run/bird/bird.ctl", "-d")
	h.process(t, "8", "sh", "sh", "bird ", "-s /var/run/calico/bird.ctl ")
	// A pod's: what it calls birdcl is not to be run.
	h.processOn(t, "/dev/null", "6", "bird", "bird", "-R", "-s", "/var/run/calico/bird.ctl", "-d")
	if err := os.Mkdir(filepath.Join(h.proc, "9"), 0o755); err != nil { // it ended meanwhile
		t.Fatal(err)
	}
	look := func() string {
		t.Helper()
		s, err := Probe(t.Context(), h, Scope{Commands: []string{"sh"}}.And(Scope{BIRD: true}))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Commands["sh"] || s.Hostname == "" {
			t.Errorf("with BIRD, the rest is lost: %+v", s)
		}
		return s.BIRD
	}
	if got := look(); got != "" {
		t.Errorf("no BIRD runs, and it answers %q", got)
	}
	if _, err := BIRD(t.Context(), h); err == nil || !strings.Contains(err.Error(), "no BIRD of Calico's runs") {
		t.Error(err)
	}

	h.process(t, "10", "bird", "bird", "-R", "-s", "/var/run/calico/bird.ctl", "-d")
	want := "5 chroot --userspec=65534:0 --groups=0 " + h.proc + "/10/root birdcl -r -s /var/run/calico/bird.ctl show protocols all"
	if got := look(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, err := BIRD(t.Context(), h); err != nil || got != want+"\n" {
		t.Errorf("%q, %v", got, err)
	}

	answers(`echo "Unable to connect to server control socket" >&2; exit 1`)
	if got := look(); got != "Unable to connect to server control socket\nexit code 1" {
		t.Errorf("it does not answer: %q", got)
	}
	answers(`exit 124`)
	if got := look(); got != "exit code 124" {
		t.Errorf("it does not answer in time: %q", got)
	}
	if s, err := Probe(t.Context(), h, Scope{}); err != nil || s.BIRD != "" {
		t.Errorf("it was asked without need: %q, %v", s.BIRD, err)
	}
}
