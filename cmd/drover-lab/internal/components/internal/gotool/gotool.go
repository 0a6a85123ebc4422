package gotool

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Minimum is the oldest Go that compiles every component.
const Minimum = "go1.26"

// Build is one `go build` of a module's tools.
type Build struct {
	// Packages to build; empty means every tool the module names.
	Packages []string `json:"packages,omitempty"`
	LDFlags  string   `json:"ldflags,omitempty"`
	Tags     string   `json:"tags,omitempty"`
	CGO      bool     `json:"cgo,omitempty"`
}

// Go is a go command and where it may write.
type Go struct {
	// Scratch holds the compiler's temporary files, so that those of a build
	// that was killed go away together with the rest of it.
	Scratch string
	// Line receives what the command says, line by line; nil discards it.
	Line func(string)
}

// Version is the version of the go command in PATH, such as "go1.26.8".
func Version(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = os.TempDir() // a go.mod around us must not choose another toolchain
	cmd.Env = environ(false, "")
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("the go command is not in PATH: install Go %s or newer (https://go.dev/dl) or use --download", strings.TrimPrefix(Minimum, "go"))
	}
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w", err)
	}
	have := strings.TrimSpace(string(out))
	// A development build calls itself "devel …", which version cannot compare.
	if version.IsValid(have) && version.Compare(have, Minimum) < 0 {
		return "", fmt.Errorf("the go command in PATH is %s, and the components need %s or newer: install it (https://go.dev/dl) or use --download", have, Minimum)
	}
	return have, nil
}

// Build compiles b of the module in dir into out, one file per command. It
// returns the number of packages that had to be compiled.
func (g Go) Build(ctx context.Context, dir, out string, b Build) (int, error) {
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=" + b.LDFlags}
	if b.Tags != "" {
		args = append(args, "-tags="+b.Tags)
	}
	args = append(args, "-o", out+string(filepath.Separator))
	if len(b.Packages) == 0 {
		args = append(args, "tool")
	}
	args = append(args, b.Packages...)
	compiled := 0
	err := run(ctx, command{
		dir: dir, env: environ(b.CGO, g.Scratch), argv: append([]string{"go"}, args...),
		line: func(s string) {
			switch {
			case strings.HasPrefix(s, "go: "):
				g.say(strings.TrimPrefix(s, "go: "))
			case !strings.ContainsAny(s, " \t"): // -v names each package it compiles
				compiled++
				g.say(fmt.Sprintf("%d packages compiled", compiled))
			}
		},
	})
	return compiled, err
}

// ModuleDir is where the sources of a module required by the one in dir are.
func (g Go) ModuleDir(ctx context.Context, dir, module string) (string, error) {
	var out strings.Builder
	err := run(ctx, command{
		dir: dir, env: environ(false, g.Scratch), stdout: &out,
		argv: []string{"go", "list", "-m", "-f", "{{.Dir}}", module},
	})
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

func (g Go) say(s string) {
	if g.Line != nil {
		g.Line(s)
	}
}

// environ is the caller's environment with everything that changes a result
// set to one value. An empty variable would not do: go then falls back to the
// user's `go env -w` file.
func environ(cgo bool, scratch string) []string {
	fixed := map[string]string{
		"GOFLAGS": "-mod=readonly", "GOWORK": "off", "GO111MODULE": "on", "GOTOOLCHAIN": "local",
		"GOOS": "linux", "GOARCH": runtime.GOARCH, "GOAMD64": "v1", "GOARM64": "v8.0",
		"GOEXPERIMENT": "none", "GOFIPS140": "off", "CGO_ENABLED": "0",
		"CC": "gcc", "CGO_CFLAGS": "-O2", "CGO_LDFLAGS": "-O2",
		"CGO_CPPFLAGS": "-O2", "CGO_CXXFLAGS": "-O2", "LC_ALL": "C",
	}
	if cgo {
		fixed["CGO_ENABLED"] = "1"
	}
	if scratch != "" {
		fixed["GOTMPDIR"] = scratch
	}
	// SOURCE_DATE_EPOCH and friends of other tools are harmless; these are not.
	drop := map[string]bool{"GODEBUG": true, "GOROOT": true, "GO_EXTLINK_ENABLED": true, "GOCOVERDIR": true}
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if _, set := fixed[name]; !set && !drop[name] {
			env = append(env, kv)
		}
	}
	for name, value := range fixed {
		env = append(env, name+"="+value)
	}
	return env
}
