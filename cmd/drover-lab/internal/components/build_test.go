package components

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuild(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	var events []string
	set, err := toyBuilder(t, cache, Options{Progress: told(&events)}, toy(hello), toyImages())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"started toy", "done toy", "started toy-images", "done toy-images"}, events); diff != "" {
		t.Error(diff)
	}
	if len(set.Artifacts) != 2 || len(set.Images) != 1 {
		t.Fatalf("set: %+v", set)
	}
	for _, a := range set.Artifacts {
		digest, size, err := digestOf(a.File)
		if err != nil || digest != a.SHA256 || size != a.Size {
			t.Errorf("%s: digest %s, size %d (%v), recorded %s, %d", a.Path, digest, size, err, a.SHA256, a.Size)
		}
		if !strings.HasSuffix(a.File, "files/"+a.Path) || a.Version != "1.0.0" {
			t.Errorf("artifact %+v", a)
		}
	}

	// The second call finds all of it, and says the same.
	events = nil
	again, err := toyBuilder(t, cache, Options{Progress: told(&events)}, toy(hello), toyImages())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cached toy", "cached toy-images"}, events); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(set, again); diff != "" {
		t.Error(diff)
	}

	// Elsewhere, under an environment that would change the result, the result
	// is the same.
	for name, value := range map[string]string{
		"GOFLAGS": "-tags=other -race", "GOOS": "windows", "GOARCH": "386", "CGO_ENABLED": "1",
		"GOEXPERIMENT": "nonsense", "GOWORK": "/nowhere/go.work", "CC": "/nowhere/cc",
	} {
		t.Setenv(name, value)
	}
	other, err := toyBuilder(t, Cache{Dir: t.TempDir()}, Options{}, toy(hello), toyImages())
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Artifacts {
		if set.Artifacts[i].SHA256 != other.Artifacts[i].SHA256 {
			t.Errorf("%s is not reproducible", set.Artifacts[i].Path)
		}
	}
	if set.Images[0].Digest != other.Images[0].Digest {
		t.Error("the image is not reproducible")
	}
}

func TestBuildOnly(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	var events []string
	set, err := toyBuilder(t, cache, Options{Only: []string{"toy-images"}, Progress: told(&events)}, toy(hello), toyImages())
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Artifacts) != 0 || len(set.Images) != 1 {
		t.Errorf("asked for images, got %+v", set)
	}
	if diff := cmp.Diff([]string{"started toy", "done toy", "started toy-images", "done toy-images"}, events); diff != "" {
		t.Error(diff)
	}
	_, err = toyBuilder(t, cache, Options{Only: []string{"toy", "tyo", "x"}}, toy(hello), toyImages())
	for _, want := range []string{`no component set "tyo"`, `no component set "x"`, "there are toy, toy-images"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestFailedBuild(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	broken := toy("package main\n\nfunc main() { undefinedThing() }\n")
	broken.apt = []string{"gcc", "libc6-dev"}
	_, err := toyBuilder(t, cache, Options{}, broken)
	for _, want := range []string{"component set toy 1.0.0", "go build", "undefined: undefinedThing", "apt-get install gcc libc6-dev"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	for _, pattern := range []string{"toy-*", ".building-*"} {
		if left, err := filepath.Glob(filepath.Join(cache.root(), pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestMissingCommand(t *testing.T) {
	r := toy(hello)
	r.commands, r.apt = []string{"no-such-command"}, []string{"that-package"}
	r.space = 1 << 60
	_, err := toyBuilder(t, Cache{Dir: t.TempDir()}, Options{}, r)
	for _, want := range []string{"no-such-command", "apt-get install that-package", "GiB are free"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestBrokenPromise(t *testing.T) {
	r := toy(hello)
	r.images = []string{"registry.example.com/other:v1"}
	_, err := toyBuilder(t, Cache{Dir: t.TempDir()}, Options{}, r)
	if err == nil || !strings.Contains(err.Error(), "without image registry.example.com/other:v1") {
		t.Errorf("error %v", err)
	}
}

// TestHalfBuilt leaves what a killed build leaves, and a set that lost a file.
func TestHalfBuilt(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	half := filepath.Join(cache.workDir("toy"), "files", "example.com", "half")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	statuses, err := builder{cache: cache, recipes: []recipe{toy(hello)}}.list(t.Context())
	if err != nil || len(statuses) != 1 || statuses[0].State != Missing {
		t.Fatalf("list: %+v, %v", statuses, err)
	}
	set, err := toyBuilder(t, cache, Options{}, toy(hello))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cache.workDir("toy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead build's directory is still there (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(set.Artifacts[0].File), "half")); len(left) > 0 {
		t.Error("the dead build's files became part of the set")
	}
	if err := os.Truncate(set.Artifacts[0].File, 1); err != nil {
		t.Fatal(err)
	}
	var events []string
	again, err := toyBuilder(t, cache, Options{Progress: told(&events)}, toy(hello))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"started toy", "done toy"}, events); diff != "" {
		t.Errorf("a set that lost a file: %s", diff)
	}
	if diff := cmp.Diff(set, again); diff != "" {
		t.Error(diff)
	}
	statuses, err = builder{cache: cache, recipes: []recipe{toy(hello)}}.list(t.Context())
	if err != nil || statuses[0].State != Built || len(statuses[0].Artifacts) != 2 || statuses[0].Took == 0 {
		t.Errorf("list: %+v, %v", statuses, err)
	}
}

func TestTwoBuildsAtOnce(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	var packed atomic.Int32
	slow := toy(hello)
	pack := slow.pack
	slow.pack = func(ctx context.Context, w *work) error {
		packed.Add(1)
		time.Sleep(2 * lockPoll)
		return pack(ctx, w)
	}
	var wg sync.WaitGroup
	sets, errs := make([]Set, 4), make([]error, 4)
	for i := range sets {
		wg.Go(func() {
			sets[i], errs[i] = builder{cache: cache, recipes: []recipe{slow}}.build(t.Context())
		})
	}
	wg.Wait()
	for i := range sets {
		if errs[i] != nil {
			t.Errorf("build %d: %v", i, errs[i])
		}
		if diff := cmp.Diff(sets[0], sets[i]); diff != "" {
			t.Errorf("build %d: %s", i, diff)
		}
	}
	if n := packed.Load(); n != 1 {
		t.Errorf("the work was done %d times", n)
	}
}

func TestCancel(t *testing.T) {
	cache := Cache{Dir: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	stuck := toy(hello)
	stuck.pack = func(ctx context.Context, _ *work) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := builder{cache: cache, recipes: []recipe{stuck}}.build(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// Nobody holds the lock any more.
	if _, err := toyBuilder(t, cache, Options{}, toy(hello)); err != nil {
		t.Error(err)
	}
	// A build that waits for another gives up when it is told to.
	unlock, err := cache.lock(t.Context(), "other", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}()
	waiting, stop := context.WithCancel(t.Context())
	if _, err := cache.lock(waiting, "other", stop); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a lock: %v", err)
	}
}
