package components

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/droverctl/drover/examples/lab"
)

func TestKey(t *testing.T) {
	key := func(goVersion string, needs []string, download bool, change func(*recipe)) string {
		r := toy(hello)
		if change != nil {
			change(&r)
		}
		k, err := r.key(goVersion, needs, download)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := key("go1.26.8", nil, false, nil)
	if again := key("go1.26.8", nil, false, nil); again != base {
		t.Error("equal inputs make different keys")
	}
	same := map[string]string{
		"what a build checks beforehand": key("go1.26.8", nil, false, func(r *recipe) { r.apt, r.space = []string{"gcc"}, 5 }),
	}
	for what, k := range same {
		if k != base {
			t.Errorf("%s changed the key", what)
		}
	}
	different := map[string]string{
		"go version":   key("go1.26.9", nil, false, nil),
		"needed set":   key("go1.26.8", []string{"x"}, false, nil),
		"download":     key("go1.26.8", nil, true, nil),
		"name":         key("go1.26.8", nil, false, func(r *recipe) { r.name = "b" }),
		"version":      key("go1.26.8", nil, false, func(r *recipe) { r.version = "1.0.1" }),
		"revision":     key("go1.26.8", nil, false, func(r *recipe) { r.revision++ }),
		"mod":          key("go1.26.8", nil, false, func(r *recipe) { r.module.Mod = append(r.module.Mod, '\n') }),
		"sum":          key("go1.26.8", nil, false, func(r *recipe) { r.module.Sum = []byte("x h1:y\n") }),
		"source":       key("go1.26.8", nil, false, func(r *recipe) { r.module.Sources["main.go"] = []byte("package main") }),
		"linker flags": key("go1.26.8", nil, false, func(r *recipe) { r.builds[0].LDFlags = "" }),
		"tags":         key("go1.26.8", nil, false, func(r *recipe) { r.builds[0].Tags = "seccomp" }),
		"cgo":          key("go1.26.8", nil, false, func(r *recipe) { r.builds[0].CGO = true }),
		"release path": key("go1.26.8", nil, false, func(r *recipe) { r.releases[0].Path += "2" }),
		"image":        key("go1.26.8", nil, false, func(r *recipe) { r.images = []string{"x"} }),
	}
	seen := map[string]string{base: "nothing"}
	for what, k := range different {
		if before, dup := seen[k]; dup {
			t.Errorf("%s makes the same key as %s", what, before)
		}
		seen[k] = what
	}
	// A downloaded file is the same whatever compiler is here.
	if key("go1.26.8", nil, true, nil) != key("", []string{"x"}, true, nil) {
		t.Error("the key of a download depends on the compiler")
	}
}

// TestRecipes walks the real recipes: what they promise has to fit together.
func TestRecipes(t *testing.T) {
	all, err := recipes(lab.Components)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]recipe{}
	paths := map[string]bool{}
	apt := AptPackages()
	for _, r := range all {
		for _, n := range r.needs {
			if _, ok := seen[n]; !ok {
				t.Errorf("%s needs %s, which does not come before it", r.name, n)
			}
		}
		seen[r.name] = r
		if r.version == "" || strings.HasPrefix(r.version, "v") || r.space == 0 {
			t.Errorf("%s: version %q, space %d", r.name, r.version, r.space)
		}
		for _, f := range r.releases {
			if paths[f.Path] || strings.HasPrefix(f.Path, "/") || !strings.Contains(f.Path, r.version) {
				t.Errorf("%s: release path %s", r.name, f.Path)
			}
			paths[f.Path] = true
			if f.Sums == "" && f.Pinned == "" {
				t.Errorf("%s: nothing vouches for a download of %s", r.name, f.Path)
			}
		}
		for _, p := range r.apt {
			if !slices.Contains(apt, p) {
				t.Errorf("%s takes the package %s, which AptPackages leaves out", r.name, p)
			}
		}
		if r.module != nil && r.name != "pause" && len(r.module.Sum) == 0 {
			t.Errorf("%s has no sums", r.name)
		}
	}
	for _, want := range []string{
		"dl.k8s.io/release/v1.37.2/bin/linux/" + arch() + "/kubelet",
		"github.com/etcd-io/etcd/releases/download/v3.6.16/etcd-v3.6.16-linux-" + arch() + ".tar.gz",
		"github.com/containerd/containerd/releases/download/v2.2.9/containerd-2.2.9-linux-" + arch() + ".tar.gz",
		"github.com/opencontainers/runc/releases/download/v1.3.6/runc." + arch(),
		"github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-" + arch() + "-v1.9.1.tgz",
		"raw.githubusercontent.com/projectcalico/calico/v3.30.1/manifests/calico.yaml",
		"github.com/projectcalico/calico/releases/download/v3.30.1/calicoctl-linux-" + arch(),
	} {
		if !paths[want] {
			t.Errorf("no set publishes %s", want)
		}
	}
}

// TestSecondKubernetes adds a version the way a maintainer does: by its module.
func TestSecondKubernetes(t *testing.T) {
	files := fstest.MapFS{}
	err := fs.WalkDir(lab.Components, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(lab.Components, path)
		files[path] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files["components/kubernetes-1.36.mod"] = &fstest.MapFile{
		Data: []byte("module x\n\nrequire k8s.io/kubernetes v1.36.3\n"),
	}
	all, err := recipes(files)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(r recipe) bool { return r.name == "kubernetes-1.36" })
	if i < 0 || all[i].version != "1.36.3" || !strings.Contains(all[i].releases[0].Path, "/v1.36.3/") ||
		!strings.Contains(all[i].builds[0].LDFlags, "gitMinor=36 ") {
		t.Errorf("the second version: %+v", all)
	}
	files["components/kubernetes-1.36.mod"].Data = []byte("module x\n")
	if _, err := recipes(files); err == nil || !strings.Contains(err.Error(), "does not require k8s.io/kubernetes") {
		t.Errorf("a module without Kubernetes: %v", err)
	}
}

func TestWithoutTunnels(t *testing.T) {
	const template = "a\n    krt_tunnel = \"{{$data.ipip}}\";  {{- /* why */}}\n    accept;\n"
	if got := string(withoutTunnels([]byte(template))); got != "a\n    accept;\n" {
		t.Errorf("got %q", got)
	}
}
