package components

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
)

const (
	calicoModule = "github.com/projectcalico/calico"
	// calicoVersion is the release whose commit the module names: Calico's
	// modules have no versions of their own.
	calicoVersion = "3.30.1"
)

func calicoSet(files fs.FS) (recipe, error) {
	m, err := readModule(files, "calico")
	if err != nil {
		return recipe{}, err
	}
	tag := "v" + calicoVersion
	flags := stripped
	for _, variable := range []string{
		"main.VERSION",
		calicoModule + "/node/pkg/lifecycle/startup.VERSION",
		calicoModule + "/node/buildinfo.GitVersion",
		calicoModule + "/calicoctl/calicoctl/commands.VERSION",
		calicoModule + "/calicoctl/calicoctl/commands/common.VERSION",
	} {
		flags += " -X " + variable + "=" + tag
	}
	return recipe{
		name: "calico", version: calicoVersion, module: m, space: 3 * gib,
		builds: []gotool.Build{{LDFlags: flags}},
		releases: []release{
			{
				Component: "calico",
				Path:      "raw.githubusercontent.com/projectcalico/calico/" + tag + "/manifests/calico.yaml",
				// Nobody publishes a digest of it; this is the module's, which go.sum guards.
				Pinned: "6fc99a9b18f3b9f878f7981f384c7bb7c869c79a6da11781a2a8d50bef79e2fb",
			},
			{
				Component: "calicoctl",
				Path:      github("projectcalico/calico", tag, "calicoctl-linux-"+arch()),
				Sums:      github("projectcalico/calico", tag, "SHA256SUMS"),
			},
		},
		keep: []string{"calico", "calico-node", "check-status", "install", "kube-controllers", "mountns", "wrapper"},
		pack: packCalico,
	}, nil
}

// packCalico publishes the manifest and calicoctl, and keeps for the images
// what the module holds besides programs.
func packCalico(ctx context.Context, w *work) error {
	source, err := w.moduleDir(ctx, calicoModule)
	if err != nil {
		return err
	}
	for from, to := range map[string]string{
		"node/filesystem": "node",
		"confd/etc":       "confd",
	} {
		if err := os.CopyFS(w.share(to), os.DirFS(filepath.Join(source, from))); err != nil {
			return fmt.Errorf("files of Calico's module: %w", err)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(source, "manifests/calico.yaml"))
	if err != nil {
		return err
	}
	file, err := w.file("calico")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, manifest, 0o644); err != nil {
		return err
	}
	if err := w.published("calico"); err != nil {
		return err
	}
	return w.program("calicoctl")
}
