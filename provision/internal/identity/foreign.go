package identity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/facts"
)

// Foreign are the hosts, of those seen, that belong to a cluster of another name:
// what may not even be taken away.
func Foreign(c *inventory.Cluster, seen map[string]facts.Snapshot) diag.Problems {
	_, problems := readNotes(c, seen)
	return slices.DeleteFunc(problems, func(p diag.Problem) bool { return p.Host == "" })
}
