package labtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// What must not be touched is refused, with the reason, and is not touched.
func TestRefusals(t *testing.T) {
	c := shared(t)
	whole := c.shape
	const spare = "kube-node-2" // a machine of the lab that no inventory of the cluster names
	more := whole
	more.Nodes++
	c.Must(t, "up", c.inventory(t, c.Name+"-spare", more))
	t.Cleanup(func() { c.Run(t, "power", "off", spare) })

	before, bare := c.allTraces(t), c.hostTraces(t, spare)
	for name, test := range map[string]struct {
		change func(s *shape)
		says   string
	}{
		"hosts of another cluster": {
			change: func(s *shape) { s.Cluster = "dt-other" },
			says:   `kube-node-1 belongs to the cluster "dt-one", not to "dt-other"`,
		},
		"a master that is named and not described": {
			change: func(s *shape) { s.Unknown = []string{"kube-master-2"} },
			says:   `"kube-master-2"`,
		},
		"no master's fragment": {
			change: func(s *shape) { s.Missing, s.Unknown = []string{"kube-master-1"}, []string{"kube-master-1"} },
			says:   `masters names "kube-master-1", but there is no such kube_master`,
		},
		"another machine at a member's new address": {
			change: func(s *shape) { s.At = map[string]string{"kube-node-1": c.address(spare)} },
			says:   "drover: kube-node-1: its host key has CHANGED",
		},
		"another machine whose key was taken for a member's": {
			change: func(s *shape) {
				s.At, s.KnownHosts = map[string]string{"kube-node-1": c.address(spare)}, c.takenFor(t, spare, "kube-node-1")
			},
			says: "the machine at " + c.address(spare) + " is not the kube-node-1 that the cluster knows, which is at " + c.address("kube-node-1"),
		},
		"another pod network": {
			change: func(s *shape) { s.PodCIDR = "10.110.0.0/16" },
			says:   "pod_cidr cannot be changed: the cluster has 10.100.0.0/16, as kube-master-1 says, and the inventory has 10.110.0.0/16",
		},
		"another service network": {
			change: func(s *shape) { s.ServiceCIDR = "10.111.0.0/16" },
			says:   "service_cidr cannot be changed: the cluster has 10.101.0.0/16, as kube-master-1 says, and the inventory has 10.111.0.0/16",
		},
		"other blocks": {
			change: func(s *shape) { s.BlockSize = 27 },
			says:   "block_size cannot be changed: the cluster has 26, as kube-master-1 says, and the inventory has 27",
		},
		"another version": {
			change: func(s *shape) { s.Kubernetes = "1.37.1" },
			says:   "kubernetes cannot be changed: the cluster has 1.37.2, as kube-master-1 says, and the inventory has 1.37.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole
			test.change(&s)
			path := c.inventory(t, c.Name+"-refused", s)
			for _, verb := range [][]string{{"plan"}, {"apply", "--auto-approve"}} {
				if r := drover(t, path, verb...); r.Code != 65 || !strings.Contains(r.Stderr, test.says) {
					t.Errorf("want exit 65 and %q: %s", test.says, r)
				}
			}
		})
	}
	expectMoved(t, before, c.allTraces(t), touched{})
	expectMoved(t, bare, c.hostTraces(t, spare), touched{})
}

// takenFor is a list of known hosts in which a machine's key is another's.
func (c *cluster) takenFor(t *testing.T, machine, other string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(stateDir, c.Name, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(line, other+",") {
			lines = append(lines, strings.Replace(line, machine+",", other+",", 1))
		}
	}
	path := filepath.Join(labkit.WorkDir(), c.Name+"-known_hosts")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
