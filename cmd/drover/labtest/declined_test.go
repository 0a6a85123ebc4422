package labtest

import (
	"strings"
	"testing"
)

// What must not be touched is refused, with the reason, and is not touched.
func TestRefusals(t *testing.T) {
	c := shared(t)
	whole := c.shape
	for name, test := range map[string]struct {
		change func(s *shape)
		code   int
		says   string
	}{
		"hosts of another cluster": {
			change: func(s *shape) { s.Cluster = "dt-other" },
			code:   65, says: `kube-node-1 belongs to the cluster "dt-one", not to "dt-other"`,
		},
		"a master that is named and not described": {
			change: func(s *shape) { s.Unknown = []string{"kube-master-2"} },
			code:   65, says: `"kube-master-2"`,
		},
		"no master's fragment": {
			change: func(s *shape) { s.Masters, s.Unknown = 0, []string{"kube-master-1"} },
			code:   65, says: `"kube-master-1"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.hostTraces(t, c.hosts()...)
			s := whole
			test.change(&s)
			path := c.inventory(t, c.Name+"-refused", s)
			for _, verb := range [][]string{{"plan"}, {"apply", "--auto-approve"}} {
				r := drover(t, path, verb...)
				if r.Code != test.code || !strings.Contains(r.Stderr, test.says) {
					t.Errorf("want exit %d and %q: %s", test.code, test.says, r)
				}
			}
			expectMoved(t, before, c.hostTraces(t, c.hosts()...), touched{})
		})
	}
}
