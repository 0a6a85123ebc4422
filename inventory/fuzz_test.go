package inventory

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory/diag"
)

// Whatever the bytes, loading ends, and tells what is wrong in a way that can
// be acted on.
func FuzzLoad(f *testing.F) {
	for _, name := range append(broken(f), "testdata/full.hcl", "testdata/full.hcl.json", "../examples/lab/inventory.hcl",
		"../examples/production/cluster.hcl", "../examples/production/hosts.hcl") {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src, strings.HasSuffix(name, ".json"))
	}
	f.Add([]byte(withVariables), false)
	f.Fuzz(func(t *testing.T, src []byte, json bool) {
		name := "fuzz.hcl"
		if json {
			name = "fuzz.hcl.json"
		}
		cluster, problems := newDecoder().load(Options{}, []file{{name, src}})
		if (cluster == nil) != problems.HasErrors() {
			t.Errorf("cluster %v with problems %v", cluster, problems)
		}
		for i, p := range problems {
			checkProblem(t, p)
			if i > 0 && diag.Compare(*problems[i-1].At, *p.At) > 0 {
				t.Errorf("not in order: %v", problems)
			}
		}
		if err := problems.Render(io.Discard); err != nil {
			t.Error(err)
		}
		if cluster != nil && (cluster.Name == "" || len(cluster.KubeMasters) == 0) {
			t.Errorf("a cluster without name or masters: %+v", cluster)
		}
	})
}
