package provision

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/droverctl/drover/inventory"
)

// An inventory has the same digest wherever it is read, and whoever has other files to
// get in with, and another one when it says something else.
func TestAnInventorysDigest(t *testing.T) {
	read := func(more string) string {
		dir := t.TempDir()
		text := `cluster "c" {
  masters      = ["m1"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}
kube_master "m1" {
  address = "10.90.0.11"
}
` + more
		if err := os.WriteFile(filepath.Join(dir, "c.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems := inventory.Load(dir)
		if c == nil {
			t.Fatal(problems)
		}
		return digestOf(c)
	}
	one := read("")
	if again := read("ssh { known_hosts = \"known_hosts\" }\n"); one == "" || again != one {
		t.Errorf("elsewhere: %s, %s", one, again)
	}
	for _, cert := range []string{"a", "b"} {
		if again := read("puppetdb {\n  url       = \"https://pdb.example.net:8081\"\n  cert      = \"/etc/" + cert + ".pem\"\n  host_keys = true\n}\n"); again != one {
			t.Errorf("with another way to PuppetDB, %s: %s, %s", cert, one, again)
		}
	}
	if other := read("kube_node \"n1\" { address = \"10.90.0.21\" }\n"); other == one {
		t.Error("with another host it is the same")
	}
}
