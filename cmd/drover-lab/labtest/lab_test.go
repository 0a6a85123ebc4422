package labtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lab is one lab of the suites, driven by the command line.
type lab struct {
	name string
	net  string // the first three bytes of its network
}

// result is what a command left.
type result struct {
	args           []string
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("drover-lab %s: exit %d after %s\n%s%s", strings.Join(r.args, " "), r.code, r.took.Round(time.Millisecond), r.stdout, r.stderr)
}

// commandLimit is above what any command takes, a cold component cache included.
const commandLimit = 50 * time.Minute

func (l lab) flags(args ...string) []string {
	return append([]string{"--state-dir", stateDir, "--lab", l.name}, args...)
}

// command is drover-lab, not started.
func (l lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Getenv("DROVER_LAB"), l.flags(args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tempDir())
	cmd.Dir = workDir()
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs drover-lab to its end, whatever that is.
func (l lab) run(t testing.TB, args ...string) result {
	t.Helper()
	// Not the test's own context: what cleans up after the test runs, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandLimit)
	defer cancel()
	r, err := execute(l.command(ctx, args...))
	if err != nil {
		t.Error(err)
	}
	return r
}

// execute runs a command to its end; the error is one of not getting there.
func execute(cmd *exec.Cmd) (result, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	r := result{args: cmd.Args[1:], stdout: out.String(), stderr: errs.String(), took: time.Since(start), code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("%s: %w", r, err)
	}
	return r, nil
}

// must runs drover-lab, which has to succeed, and returns what it printed.
func (l lab) must(t testing.TB, args ...string) string {
	t.Helper()
	r := l.run(t, args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

// ssh runs a shell command on a machine, which has to succeed.
func (l lab) ssh(t testing.TB, machine, script string) string {
	t.Helper()
	return strings.TrimSpace(l.must(t, "ssh", machine, script))
}

// try runs a shell command on a machine; for checks of several at once.
func (l lab) try(ctx context.Context, machine, script string) (string, error) {
	r, err := execute(l.command(ctx, "ssh", machine, script))
	if err == nil && r.code != 0 {
		err = errors.New(r.String())
	}
	return strings.TrimSpace(r.stdout), err
}

// status is what `status -o json` says.
type status struct {
	Network   string    `json:"network"`
	Admin     string    `json:"admin"`
	Gateway   string    `json:"gateway"`
	MirrorURL string    `json:"mirror_url"`
	Registry  string    `json:"registry"`
	MirrorUp  bool      `json:"mirror_up"`
	SSHConfig string    `json:"ssh_config"`
	Machines  []machine `json:"machines"`
	Cuts      []cut     `json:"cuts"`
}

type machine struct {
	Name    string `json:"name"`
	Role    string `json:"role"`
	Address string `json:"address"`
	State   string `json:"state"`
	Error   string `json:"error"`
	Memory  int64  `json:"memory_bytes"`
	Rate    string `json:"rate"`
}

type cut struct{ A, B string }

func (l lab) status(t testing.TB) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(l.must(t, "status", "-o", "json")), &s); err != nil {
		t.Fatalf("status -o json: %v", err)
	}
	return s
}

func (s status) machine(t testing.TB, name string) machine {
	t.Helper()
	for _, m := range s.Machines {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("status has no machine %s: %+v", name, s.Machines)
	return machine{}
}

// answered is a status in which every machine that is on has answered: on a
// computer that is busy with other things some may miss status's own deadline.
func (l lab) answered(t testing.TB) (s status) {
	t.Helper()
	await(t, time.Minute, "every machine answers", func() error {
		s = l.status(t)
		for _, m := range s.Machines {
			if m.State == "unreachable" {
				return fmt.Errorf("%s: %s", m.Name, m.Error)
			}
		}
		return nil
	})
	return s
}

// healthy fails unless every machine runs and the mirror answers.
func (l lab) healthy(t testing.TB) status {
	t.Helper()
	s := l.answered(t)
	for _, m := range s.Machines {
		if m.State != "running" {
			t.Errorf("%s is %s (%s)", m.Name, m.State, m.Error)
		}
	}
	if !s.MirrorUp {
		t.Error("the mirror does not answer")
	}
	return s
}

// inventory writes an inventory of so many machines and returns its path.
func (l lab) inventory(t testing.TB, masters, nodes, routers int) string {
	t.Helper()
	var b strings.Builder
	var names []string
	for n := range masters {
		names = append(names, fmt.Sprintf("%q", "kube-master-"+fmt.Sprint(n+1)))
		fmt.Fprintf(&b, "kube_master \"kube-master-%d\" { address = \"%s.%d\" }\n", n+1, l.net, 11+n)
	}
	for n := range nodes {
		fmt.Fprintf(&b, "kube_node \"kube-node-%d\" { address = \"%s.%d\" }\n", n+1, l.net, 21+n)
	}
	for n := range routers {
		fmt.Fprintf(&b, "bigip \"f5-%c\" {\n  peer_address = \"%s.%d\"\n  as_number = %d\n}\n", 'a'+n, l.net, 5+n, 64512+n)
	}
	content := fmt.Sprintf("cluster %q {\n  masters = [%s]\n  pod_cidr = \"10.100.0.0/16\"\n  service_cidr = \"10.101.0.0/16\"\n}\n%s",
		l.name, strings.Join(names, ", "), b.String())
	path := filepath.Join(workDir(), fmt.Sprintf("%s-%d-%d-%d.hcl", l.name, masters, nodes, routers))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// full is the inventory of the demo: three masters, two nodes, two BIG-IPs.
func (l lab) full(t testing.TB) string {
	t.Helper()
	return l.inventory(t, 3, 2, 2)
}

// without is what the shared lab's second node is made without.
const without = "kube-node-2=haproxy,conntrack"

var bringUp = sync.OnceValue(func() result {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	r, err := execute(sharedLab.command(ctx, "up", "--without", without, sharedInventory()))
	if err != nil {
		r.stderr += err.Error()
	}
	return r
})

var tellOnce sync.Once

// shared is the lab most tests use, brought up by the first of them.
func shared(t testing.TB) lab {
	t.Helper()
	need(t)
	path := sharedInventory()
	if _, err := os.Stat(path); err != nil {
		content, err := os.ReadFile(sharedLab.full(t))
		if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := bringUp()
	if r.code != 0 {
		t.Fatalf("the shared lab did not come up: %s", r)
	}
	tellOnce.Do(func() { t.Logf("the shared lab: %s", r) })
	return sharedLab
}

// need skips the test where labs cannot be made.
func need(t testing.TB) {
	t.Helper()
	if why := unable(); why != "" {
		t.Skip(why)
	}
}

// await polls until the condition holds and fails with its last error when the
// limit is over.
func await(t testing.TB, limit time.Duration, what string, condition func() error) {
	t.Helper()
	if err := poll(t.Context(), limit, condition); err != nil {
		t.Fatalf("%s: not within %s: %v", what, limit, err)
	}
}

func poll(ctx context.Context, limit time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// each runs a check for every name at once.
func each(names []string, do func(name string)) {
	var wg sync.WaitGroup
	for _, n := range names {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}

// names are the machines' names; with roles, those of these roles.
func (s status) names(roles ...string) []string {
	var found []string
	for _, m := range s.Machines {
		if len(roles) == 0 || strings.Contains(strings.Join(roles, " "), m.Role) {
			found = append(found, m.Name)
		}
	}
	return found
}

// background is a drover-lab that is at work.
type background struct {
	cmd       *exec.Cmd
	out, errs lockedBuffer
	started   time.Time
	ended     chan struct{}
}

func (l lab) start(t testing.TB, args ...string) *background {
	t.Helper()
	b := &background{cmd: l.command(context.WithoutCancel(t.Context()), args...), started: time.Now(), ended: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.errs
	// What the killed command started may hold its output open for long.
	b.cmd.WaitDelay = 100 * time.Millisecond
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // the exit code says it
		close(b.ended)
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill() // for when the test fails half-way
		<-b.ended
	})
	return b
}

// after sends a signal once so much time has passed; it reports false when the
// command was faster.
func (b *background) after(delay time.Duration, signal syscall.Signal) bool {
	select {
	case <-b.ended:
		return false
	case <-time.After(delay):
	}
	return b.cmd.Process.Signal(signal) == nil
}

func (b *background) result() result {
	<-b.ended
	return result{args: b.cmd.Args[1:], stdout: b.out.String(), stderr: b.errs.String(), code: b.cmd.ProcessState.ExitCode(), took: time.Since(b.started)}
}

// lockedBuffer can be read while a command still writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
