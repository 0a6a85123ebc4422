package desired

import (
	"os"
	"path/filepath"
	"slices"
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
	find := func(rs []resource.Resource, id plan.ID) (plan.Item, bool) {
		i := slices.IndexFunc(rs, func(r resource.Resource) bool { return r.Item().ID == id })
		if i < 0 {
			return plan.Item{}, false
		}
		return rs[i].Item(), true
	}
	without, with := build(t, example), build(t, allowing)
	for _, host := range []string{"kube-master-1", "kube-node-2"} {
		if _, ok := find(without, resource.PackagesID(host)); ok {
			t.Errorf("%s: wanted, and not allowed", host)
		}
		if i, ok := find(with, resource.PackagesID(host)); !ok || i.At == nil || i.Want["haproxy"] != "installed" {
			t.Errorf("%s: %+v", host, i)
		}
		for _, user := range []plan.ID{resource.UnitID(host, manifests.HAProxyUnit), resource.UnitID(host, manifests.KubeProxyUnit), resource.SysctlsID(host)} {
			if i, _ := find(with, user); !slices.Contains(i.Needs, resource.PackagesID(host)) {
				t.Errorf("%s does not wait for the packages: %v", user, i.Needs)
			}
		}
	}
}
