package gotool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnviron(t *testing.T) {
	for name, value := range map[string]string{
		"GOFLAGS": "-race", "GOOS": "plan9", "GODEBUG": "x=1", "CGO_CFLAGS": "-O0", "CC": "tcc", "PKG_CONFIG_PATH": "/x",
		"GOPROXY": "https://proxy.example.com", "HTTPS_PROXY": "http://proxy.example.com:3128",
	} {
		t.Setenv(name, value)
	}
	g := Go{Scratch: "/scratch", Toolchain: Toolchain{kept: map[string]string{"GOPROXY": "https://proxy.example.com"}}}
	env := g.environ(true)
	for _, want := range []string{
		"GOFLAGS=-mod=readonly", "GOOS=linux", "GOENV=off", "CGO_ENABLED=1", "GOTMPDIR=/scratch",
		"GOPROXY=https://proxy.example.com", "HTTPS_PROXY=http://proxy.example.com:3128",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in the environment", want)
		}
	}
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains([]string{"GODEBUG", "CGO_CFLAGS", "CC", "PKG_CONFIG_PATH"}, name) {
			t.Errorf("%s is in the environment", kv)
		}
	}
}

func TestFind(t *testing.T) {
	t.Setenv("GOEXPERIMENT", "nonsense") // go itself would refuse to run
	toolchain, err := Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if toolchain.Version == "" || toolchain.kept["GOCACHE"] == "" {
		t.Errorf("found %+v", toolchain)
	}
	old := t.TempDir()
	script := "#!/bin/sh\necho '{\"GOVERSION\":\"go1.19.8\"}'\n"
	if err := os.WriteFile(filepath.Join(old, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", old)
	if _, err := Find(t.Context()); err == nil || !strings.Contains(err.Error(), "go1.19.8") || !strings.Contains(err.Error(), Minimum) {
		t.Errorf("an old go: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(t.Context()); err == nil || !strings.Contains(err.Error(), "not in PATH") {
		t.Errorf("no go: %v", err)
	}
}

func TestRun(t *testing.T) {
	var lines []string
	err := run(t.Context(), command{
		argv: []string{"sh", "-c", `i=0; while [ $i -lt 50 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 3`},
		line: func(s string) { lines = append(lines, s) },
	})
	var failed *CommandError
	if !errors.As(err, &failed) || len(failed.Tail) != tailLines || failed.Tail[tailLines-1] != "line 49" {
		t.Errorf("error %#v", err)
	}
	if len(lines) != 50 {
		t.Errorf("%d lines of progress", len(lines))
	}
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
}

// TestRunCancel ends a command together with the children it started.
func TestRunCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	start := time.Now()
	err := run(ctx, command{
		argv: []string{"sh", "-c", "sleep 60 & echo started >&2; wait"},
		line: func(string) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}
