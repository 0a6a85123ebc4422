package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// readNotes reads the notes, and reports hosts of another cluster, and those that
// are another host of this one.
func readNotes(c *inventory.Cluster, seen map[string]facts.Snapshot) (map[string]membership.Note, diag.Problems) {
	notes := map[string]membership.Note{}
	var problems diag.Problems
	uids := map[string]string{} // UID to the first host with it
	for _, h := range c.Hosts() {
		text, ok := seen[h.Name].Texts[membership.Path]
		if !ok {
			continue
		}
		n := membership.Parse(text)
		notes[h.Name] = n
		switch {
		case n.Cluster != c.Name:
			problems = append(problems, diag.Problem{
				Code: "host-of-another-cluster", Host: h.Name, At: h.Where.Block.Ptr(),
				Summary: fmt.Sprintf("%s belongs to the cluster %q, not to %q", h.Name, n.Cluster, c.Name),
				Fix:     "check the host's address; to take it over, run `drover reset` there with the inventory of its cluster first",
			})
			continue
		case n.Host != "" && n.Host != h.Name:
			problems = append(problems, diag.Problem{
				Code: "another-host", Host: h.Name, At: h.Where.At("address").Ptr(),
				Summary: fmt.Sprintf("the machine at %s is %s of this cluster, and the inventory calls it %s", h.Address, n.Host, h.Name),
				Detail:  "drover has no verb that renames a host: its Node, its certificates and its address blocks go by its name.",
				Fix:     fmt.Sprintf("check the host's address, or call it %s again", n.Host),
			})
		}
		if _, known := uids[n.UID]; !known {
			uids[n.UID] = h.Name
		}
	}
	if len(uids) > 1 {
		var words []string
		for _, uid := range slices.Sorted(maps.Keys(uids)) {
			words = append(words, fmt.Sprintf("%s (on %s)", uid, uids[uid]))
		}
		problems = append(problems, diag.Problem{
			Code: "two-clusters", At: c.Where.Block.Ptr(),
			Summary: fmt.Sprintf("the hosts belong to %d different clusters named %q: %s", len(uids), c.Name, strings.Join(words, ", ")),
			Fix:     "split the inventory, or reset the hosts that do not belong",
		})
	}
	return notes, problems
}
