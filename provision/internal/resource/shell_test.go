package resource

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/droverctl/drover/provision/host"
)

// shell is a host whose scripts are run here for real: with a directory that stands
// for OptDir, an address of the loopback's, and a systemd of this test's.
type shell struct {
	t        *testing.T
	name     string
	top, bin string
	address  netip.Addr

	mu  sync.Mutex
	ran []string
}

func newShell(t *testing.T, name string, n byte) *shell {
	t.Helper()
	for _, program := range []string{"dash", "curl", "systemd-socket-activate"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here", program)
		}
	}
	h := &shell{t: t, name: name, top: t.TempDir(), bin: t.TempDir(), address: netip.AddrFrom4([4]byte{127, 0, 7, n})}
	for program, script := range map[string]string{
		// What a unit runs, and what is to be run after it, whatever ends it.
		"systemd-run": `
post=
for a; do case $a in
--unit=*) unit=${a#--unit=} ;;
--property=ExecStopPost=*) post="$post ${a#*+};" ;;
esac; done
echo "$@" >` + h.bin + `/asked
while [ "${1#--}" != "$1" ]; do shift; done
timeout 60 "$@" >/dev/null 2>&1 &
echo $! >` + h.bin + `/$unit.pid
{ tail -s 0.1 -f /dev/null --pid=$!; eval "$post"; } >/dev/null 2>&1 &
`,
		"systemctl": `
pid=$(cat "` + h.bin + `/${2%.service}.pid" 2>/dev/null) || exit 5
kill "$pid"
tail -s 0.1 -f /dev/null --pid="$pid"
`,
		"journalctl": "echo Address already in use",
	} {
		if err := os.WriteFile(filepath.Join(h.bin, program), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // also after a test that failed in the middle
		pids, _ := filepath.Glob(filepath.Join(h.bin, "*.pid"))
		for _, p := range pids {
			_ = h.command("systemctl", "stop", strings.TrimSuffix(filepath.Base(p), ".pid")).Run()
		}
	})
	return h
}

func (h *shell) command(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	if argv[0] == "systemctl" {
		cmd.Path = filepath.Join(h.bin, argv[0])
	}
	cmd.Env = []string{"PATH=" + h.bin + ":" + os.Getenv("PATH")}
	return cmd
}

func (h *shell) Name() string { return h.name }

func (h *shell) Run(_ context.Context, c host.Cmd) (host.Result, error) {
	script, err := io.ReadAll(c.Stdin)
	if err != nil {
		return host.Result{}, err
	}
	h.mu.Lock()
	h.ran = append(h.ran, string(script))
	h.mu.Unlock()
	cmd := h.command("dash", "-s")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(script), OptDir, h.top))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	res := host.Result{Stdout: out.Bytes(), Stderr: errs.Bytes(), Exit: cmd.ProcessState.ExitCode()}
	if res.Exit != 0 {
		err = &host.ExitError{Host: h.name, Cmd: "sh -s", Exit: res.Exit, Stderr: errs.String()}
	}
	return res, err
}

func (h *shell) Upload(context.Context, string, host.Content, host.FileMeta) error {
	return fmt.Errorf("%s: nothing is sent in this test", h.name)
}
func (h *shell) Probe(ctx context.Context, c host.Cmd) (host.Result, error) { return h.Run(ctx, c) }
func (h *shell) WriteFile(context.Context, string, []byte, host.FileMeta) error {
	return fmt.Errorf("%s: nothing is written in this test", h.name)
}
func (h *shell) WriteFiles(ctx context.Context, f []host.File) error {
	return h.WriteFile(ctx, "", nil, host.FileMeta{})
}

// installed is what a component's file holds now.
func (h *shell) installed(component, file string) string {
	content, err := os.ReadFile(filepath.Join(h.top, component, "current", file))
	if err != nil {
		return err.Error()
	}
	return string(content)
}
