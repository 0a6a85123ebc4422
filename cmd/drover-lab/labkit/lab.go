package labkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Lab is one lab of a suite, driven by the command line.
type Lab struct {
	StateDir string
	Name     string
	Net      string // the first three bytes of its network
}

func (l Lab) Flags(args ...string) []string {
	return append([]string{"--state-dir", l.StateDir, "--lab", l.Name}, args...)
}

// Command is drover-lab, not started.
func (l Lab) Command(ctx context.Context, args ...string) *exec.Cmd {
	return Command(ctx, os.Getenv("DROVER_LAB"), l.Flags(args...)...)
}

// Run runs drover-lab to its end, whatever that is.
func (l Lab) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return l.RunIn(t, "", args...)
}

// RunIn is Run with something to read.
func (l Lab) RunIn(t testing.TB, stdin string, args ...string) Result {
	t.Helper()
	return Run(t, stdin, os.Getenv("DROVER_LAB"), l.Flags(args...)...)
}

// Must runs drover-lab, which has to succeed, and returns what it printed.
func (l Lab) Must(t testing.TB, args ...string) string {
	t.Helper()
	r := l.Run(t, args...)
	if r.Code != 0 {
		t.Fatal(r)
	}
	return r.Stdout
}

// Start starts drover-lab.
func (l Lab) Start(t testing.TB, args ...string) *Background {
	t.Helper()
	return Start(t, os.Getenv("DROVER_LAB"), l.Flags(args...)...)
}

// SSH runs a shell command on a machine, which has to succeed.
func (l Lab) SSH(t testing.TB, machine, script string) string {
	t.Helper()
	return strings.TrimSpace(l.Must(t, "ssh", machine, script))
}

// Try runs a shell command on a machine; for checks of several at once.
func (l Lab) Try(ctx context.Context, machine, script string) (string, error) {
	r, err := Execute(l.Command(ctx, "ssh", machine, script))
	if err == nil && r.Code != 0 {
		err = errors.New(r.String())
	}
	return strings.TrimSpace(r.Stdout), err
}

// Namespace is the name of a party's network namespace.
func (l Lab) Namespace(party string) string { return "drover-lab." + l.Name + "." + party }

// ErrNamespace says that a network namespace could not be entered.
var ErrNamespace = errors.New("cannot enter the network namespace")

// Within runs f on a thread that is in a network namespace: what f opens belongs
// to it. The thread ends with its goroutine, as it stays locked: it cannot carry
// the namespace elsewhere.
func Within(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread would not end but stay there, and keep the namespace from
			// going for as long as the process lives. While it is taken, another is used.
			defer runtime.UnlockOSThread()
			done <- Within(namespace, f)
			return
		}
		ns, err := os.Open("/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err != nil {
			done <- fmt.Errorf("%w: %w", ErrNamespace, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Components is what `components list -o json` says.
type Components struct {
	Sets []struct {
		Set       string     `json:"set"`
		State     string     `json:"state"`
		Artifacts []Artifact `json:"artifacts"`
		Images    []Image    `json:"images"`
	} `json:"sets"`
}

// Artifact is a file of the mirror.
type Artifact struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	Path      string `json:"path"`
	File      string `json:"file"` // in drover-lab's cache
	SHA256    string `json:"sha256"`
	Size      int64  `json:"size"`
}

// Image is one of the registry.
type Image struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Dir    string `json:"dir"` // in drover-lab's cache
}

// Components asks what the lab's mirror and registry serve.
func (l Lab) Components(t testing.TB) Components {
	t.Helper()
	var c Components
	if err := json.Unmarshal([]byte(l.Must(t, "components", "list", "-o", "json")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Artifacts are those of all sets.
func (c Components) Artifacts() []Artifact {
	var all []Artifact
	for _, s := range c.Sets {
		all = append(all, s.Artifacts...)
	}
	return all
}

// Artifact is a component's one.
func (c Components) Artifact(t testing.TB, component string) Artifact {
	t.Helper()
	for _, a := range c.Artifacts() {
		if a.Component == component {
			return a
		}
	}
	t.Fatalf("no artifact of component %q", component)
	return Artifact{}
}

// Image is the one of a name without its tag.
func (c Components) Image(t testing.TB, name string) Image {
	t.Helper()
	for _, s := range c.Sets {
		for _, i := range s.Images {
			if strings.HasPrefix(i.Name, name+":") {
				return i
			}
		}
	}
	t.Fatalf("no image %s", name)
	return Image{}
}
