package desired

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// Packages are wanted only where the inventory allows drover to install them; then
// what uses them comes after.
func TestPackages(t *testing.T) {
	const example = "../../../examples/lab/inventory.hcl"
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	allowing := filepath.Join(t.TempDir(), "inventory.hcl")
	if err := os.WriteFile(allowing, append(text, "\npackages {\n  install = true\n}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	handing := filepath.Join(t.TempDir(), "inventory.hcl")
	if err := os.WriteFile(handing, []byte(strings.Replace(string(text), "artifacts {", "packages {\n  install = true\n}\nartifacts {\n  fan_out = true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(rs []resource.Resource, id plan.ID) (plan.Item, bool) {
		i := slices.IndexFunc(rs, func(r resource.Resource) bool { return r.Item().ID == id })
		if i < 0 {
			return plan.Item{}, false
		}
		return rs[i].Item(), true
	}
	without, with, fanOut := build(t, example), build(t, allowing), build(t, handing)
	for _, host := range []string{"kube-master-1", "kube-node-2"} {
		if _, ok := find(without, resource.PackagesID(host)); ok {
			t.Errorf("%s: wanted, and not allowed", host)
		}
		if i, ok := find(with, resource.PackagesID(host)); !ok || i.At == nil || i.Want["haproxy"] != "installed" {
			t.Errorf("%s: %+v", host, i)
		}
		// Hosts that hand releases on fetch them with curl.
		if i, _ := find(with, resource.ArtifactID(host, "kubelet")); len(i.Needs) > 0 {
			t.Errorf("a release waits for %v", i.Needs)
		}
		if i, _ := find(fanOut, resource.ArtifactID(host, "kubelet")); !slices.Contains(i.Needs, resource.PackagesID(host)) {
			t.Errorf("a release that others hand on waits for %v", i.Needs)
		}
		if i, _ := find(fanOut, resource.PackagesID(host)); i.Want["curl"] != "installed" {
			t.Errorf("packages of a fan-out: %v", i.Want)
		}
		for _, user := range []plan.ID{resource.UnitID(host, manifests.HAProxyUnit), resource.UnitID(host, manifests.KubeProxyUnit), resource.SysctlsID(host)} {
			if i, _ := find(with, user); !slices.Contains(i.Needs, resource.PackagesID(host)) {
				t.Errorf("%s does not wait for the packages: %v", user, i.Needs)
			}
		}
	}
}
