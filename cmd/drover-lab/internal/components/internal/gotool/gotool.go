package gotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Minimum is the oldest Go that compiles every component.
const Minimum = "go1.26"

// Revision is raised when Build calls go in another way, or in another
// environment, so that its results differ: it belongs in the key of every build.
const Revision = 1

// Build is one `go build` of a module's tools.
type Build struct {
	// Packages to build; empty means every tool the module names.
	Packages []string `json:"packages,omitempty"`
	LDFlags  string   `json:"ldflags,omitempty"`
	Tags     string   `json:"tags,omitempty"`
	CGO      bool     `json:"cgo,omitempty"`
}

// Toolchain is the go command in PATH.
type Toolchain struct {
	Version string // such as "go1.26.8"
	// kept is what the user told go about modules and caches, by environment or
	// by `go env -w`.
	kept map[string]string
}

// moduleSettings say where go finds modules and keeps its caches. They cannot
// change what a build makes: go.sum guards that.
func moduleSettings() []string {
	return []string{
		"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS",
		"GOCACHE", "GOMODCACHE", "GOPATH",
	}
}

// Find asks the go command in PATH what it is.
func Find(ctx context.Context) (Toolchain, error) {
	var out bytes.Buffer
	err := run(ctx, command{
		dir: os.TempDir(), // a go.mod around us must not choose another toolchain
		env: slices.DeleteFunc(os.Environ(), func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=")
			return changesBuild(name) && name != "GOENV" && !slices.Contains(moduleSettings(), name)
		}),
		stdout: &out,
		argv:   append([]string{"go", "env", "-json", "GOVERSION"}, moduleSettings()...),
	})
	if errors.Is(err, exec.ErrNotFound) {
		return Toolchain{}, fmt.Errorf("the go command is not in PATH: install %s or newer (https://go.dev/dl) or use --download", Minimum)
	}
	if err != nil {
		return Toolchain{}, err
	}
	t := Toolchain{}
	if err := json.Unmarshal(out.Bytes(), &t.kept); err != nil {
		return Toolchain{}, fmt.Errorf("go env: %w", err)
	}
	t.Version = t.kept["GOVERSION"]
	delete(t.kept, "GOVERSION")
	// A development build calls itself "devel …", which version cannot compare.
	if version.IsValid(t.Version) && version.Compare(t.Version, Minimum) < 0 {
		return Toolchain{}, fmt.Errorf("the go command in PATH is %s, and the components need %s or newer: install it (https://go.dev/dl) or use --download", t.Version, Minimum)
	}
	return t, nil
}

// Go is a go command and where it may write.
type Go struct {
	Toolchain Toolchain
	// Scratch holds the compiler's temporary files, so that those of a build
	// that was killed go away together with the rest of it.
	Scratch string
	// Line receives what the command says, line by line; nil discards it.
	Line func(string)
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
		dir: dir, env: g.environ(b.CGO), argv: append([]string{"go"}, args...),
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
		dir: dir, env: g.environ(false), stdout: &out,
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

// environ is the caller's environment without anything that changes a result.
func (g Go) environ(cgo bool) []string {
	set := map[string]string{
		// Not the user's file of settings: what it says about modules is in kept.
		"GOENV": "off", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local",
		"GOOS": "linux", "GOARCH": runtime.GOARCH, "CGO_ENABLED": "0", "LC_ALL": "C",
		"GOTMPDIR": g.Scratch,
	}
	if cgo {
		set["CGO_ENABLED"] = "1"
	}
	maps.Copy(set, g.Toolchain.kept)
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		_, ours := set[name]
		if !ours && !changesBuild(name) {
			env = append(env, kv)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// changesBuild reports whether a variable of the environment could change what
// go makes: all of go's own and those of the C compiler.
func changesBuild(name string) bool {
	for _, prefix := range []string{"GO", "CGO_", "CC", "CXX", "PKG_CONFIG", "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "GCC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
