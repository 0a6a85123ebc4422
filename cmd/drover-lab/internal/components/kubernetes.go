package components

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
)

// kubernetesPrograms are the programs of a release that a lab serves.
func kubernetesPrograms() []string {
	return []string{
		"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
		"kubeadm", "kubectl", "kubelet",
	}
}

func kubernetesSet(files fs.FS, name string) (recipe, error) {
	r, err := moduleSet(files, name, "k8s.io/kubernetes")
	if err != nil {
		return recipe{}, err
	}
	numbers := strings.Split(r.version, ".")
	if len(numbers) != 3 {
		return recipe{}, fmt.Errorf("component module %s: %q is no version of Kubernetes", name, r.version)
	}
	// Without these a program built from a module does not know its version, and
	// clients and servers compare versions.
	flags := []string{stripped}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range []string{
			"gitVersion=v" + r.version, "gitMajor=" + numbers[0], "gitMinor=" + numbers[1],
			"gitTreeState=clean", "buildDate=2020-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X "+pkg+"."+v)
		}
	}
	r.builds = []gotool.Build{{LDFlags: strings.Join(flags, " ")}}
	r.space = 5 * gib
	r.keep = []string{"agnhost"}
	for _, p := range kubernetesPrograms() {
		file := path.Join("dl.k8s.io/release/v"+r.version, "bin/linux", arch(), p)
		r.releases = append(r.releases, release{Component: p, Path: file, Sums: file + ".sha256"})
	}
	r.pack = func(_ context.Context, w *work) error {
		for _, p := range kubernetesPrograms() {
			if err := w.program(p); err != nil {
				return err
			}
		}
		return nil
	}
	return r, nil
}
