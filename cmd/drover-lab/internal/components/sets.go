package components

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// stripped drops symbols and debug information, a third of a program's size.
const stripped = "-s -w"

// recipes are all sets. Small ones come first: what is wrong with a machine
// shows in the first minute, not in the tenth.
func recipes(files fs.FS) ([]recipe, error) {
	makers := []func(fs.FS) (recipe, error){
		pauseSet, runcSet, cniSet, etcdSet, containerdSet, corednsSet, calicoSet,
	}
	kubernetes, err := fs.Glob(files, "components/kubernetes*.mod")
	if err != nil {
		return nil, fmt.Errorf("component modules: %w", err)
	}
	for _, file := range kubernetes { // another version is one more module
		name := strings.TrimSuffix(path.Base(file), ".mod")
		makers = append(makers, func(files fs.FS) (recipe, error) { return kubernetesSet(files, name) })
	}
	var all []recipe
	for _, make := range makers {
		r, err := make(files)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	images, err := imageSets(all)
	if err != nil {
		return nil, err
	}
	return append(all, images...), nil
}

// moduleSet begins the recipe of a set that is compiled from a tool module,
// whose version is that of the module main.
func moduleSet(files fs.FS, name, main string, builds ...gotool.Build) (recipe, error) {
	m, err := readModule(files, name)
	if err != nil {
		return recipe{}, err
	}
	version, err := m.requires(main)
	if err != nil {
		return recipe{}, err
	}
	return recipe{name: name, version: strings.TrimPrefix(version, "v"), module: m, builds: builds}, nil
}

func pauseSet(files fs.FS) (recipe, error) {
	m, err := readModule(files, "pause")
	if err != nil {
		return recipe{}, err
	}
	source, err := fs.ReadFile(files, "components/pause/main.go")
	if err != nil {
		return recipe{}, fmt.Errorf("component module pause: %w", err)
	}
	m.Sources = map[string][]byte{"main.go": source}
	return recipe{
		name: "pause", version: "3.10", module: m, space: 50 * mib, keep: []string{"pause"},
		builds: []gotool.Build{{Packages: []string{"."}, LDFlags: stripped}},
	}, nil
}

func runcSet(files fs.FS) (recipe, error) {
	r, err := moduleSet(files, "runc", "github.com/opencontainers/runc", gotool.Build{
		LDFlags: stripped + " -linkmode external -extldflags -static",
		Tags:    "seccomp urfave_cli_no_docs netgo osusergo", CGO: true,
	})
	if err != nil {
		return recipe{}, err
	}
	tag := "v" + r.version
	r.commands = []string{"gcc", "pkg-config"}
	r.apt = []string{"gcc", "libc6-dev", "libseccomp-dev", "pkg-config"}
	r.space = 200 * mib
	r.releases = []release{{
		Component: "runc",
		Path:      github("opencontainers/runc", tag, "runc."+arch()),
		Sums:      github("opencontainers/runc", tag, "runc.sha256sum"),
	}}
	r.pack = func(_ context.Context, w *work) error { return w.program("runc") }
	return r, nil
}

func cniSet(files fs.FS) (recipe, error) {
	const module = "github.com/containernetworking/plugins"
	r, err := moduleSet(files, "cni", module)
	if err != nil {
		return recipe{}, err
	}
	tag := "v" + r.version
	file := github("containernetworking/plugins", tag, "cni-plugins-linux-"+arch()+"-"+tag+".tgz")
	r.builds = []gotool.Build{{LDFlags: stripped + " -X " + module + "/pkg/utils/buildversion.BuildVersion=" + tag}}
	r.space = 300 * mib
	r.keep = cniPluginsOfCalico()
	r.releases = []release{{Component: "cni-plugins", Path: file, Sums: file + ".sha256"}}
	r.pack = func(_ context.Context, w *work) error {
		plugins, err := w.programs()
		if err != nil {
			return err
		}
		return w.archive("cni-plugins", "./", plugins...)
	}
	return r, nil
}

func etcdSet(files fs.FS) (recipe, error) {
	r, err := moduleSet(files, "etcd", "go.etcd.io/etcd/server/v3", gotool.Build{LDFlags: stripped})
	if err != nil {
		return recipe{}, err
	}
	tag := "v" + r.version
	dir := "etcd-" + tag + "-linux-" + arch()
	r.space = 400 * mib
	r.revision, r.keep = 1, []string{"etcd", "etcdctl"} // kept for drover's unit tests
	r.releases = []release{{
		Component: "etcd",
		Path:      github("etcd-io/etcd", tag, dir+".tar.gz"),
		Sums:      github("etcd-io/etcd", tag, "SHA256SUMS"),
	}}
	r.pack = func(_ context.Context, w *work) error {
		// The module's path makes the program "server"; the release calls it etcd.
		if err := w.rename("server", "etcd"); err != nil {
			return err
		}
		return w.archive("etcd", dir+"/", "etcd", "etcdctl", "etcdutl")
	}
	return r, nil
}

func containerdSet(files fs.FS) (recipe, error) {
	const module = "github.com/containerd/containerd/v2"
	r, err := moduleSet(files, "containerd", module)
	if err != nil {
		return recipe{}, err
	}
	file := github("containerd/containerd", "v"+r.version, "containerd-"+r.version+"-linux-"+arch()+".tar.gz")
	r.builds = []gotool.Build{{LDFlags: stripped + " -X " + module + "/version.Version=v" + r.version}}
	r.space = 700 * mib
	r.revision, r.keep = 1, []string{"containerd"} // kept for drover's unit tests
	r.releases = []release{{Component: "containerd", Path: file, Sums: file + ".sha256sum"}}
	r.pack = func(_ context.Context, w *work) error {
		return w.archive("containerd", "bin/", "containerd", "containerd-shim-runc-v2", "ctr")
	}
	return r, nil
}

func corednsSet(files fs.FS) (recipe, error) {
	r, err := moduleSet(files, "coredns", "github.com/coredns/coredns",
		gotool.Build{LDFlags: stripped, Tags: "grpcnotrace"})
	if err != nil {
		return recipe{}, err
	}
	file := github("coredns/coredns", "v"+r.version, "coredns_"+r.version+"_linux_"+arch()+".tgz")
	r.space = 800 * mib
	r.keep = []string{"coredns"}
	r.releases = []release{{Component: "coredns", Path: file, Sums: file + ".sha256"}}
	r.pack = func(_ context.Context, w *work) error { return w.archive("coredns", "./", "coredns") }
	return r, nil
}
