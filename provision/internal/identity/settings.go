package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// Refused is all that the inventory asks of the hosts seen for which drover has no
// verb: it would be half done. It does not stand in the way of a reset.
func Refused(c *inventory.Cluster, seen map[string]facts.Snapshot) error {
	notes, problems := readNotes(c, seen)
	for _, want := range membership.Of(c) {
		if p := changed(c, notes, want); p != nil {
			problems = append(problems, *p)
		}
	}
	c.Quote(problems)
	return problems.Err()
}

// changed compares one setting with what the hosts of this cluster noted; one that
// a host did not note yet is for a run to complete.
func changed(c *inventory.Cluster, notes map[string]membership.Note, want membership.Setting) *diag.Problem {
	by := map[string]string{} // value to the first host that has it
	var values []string       // in the order of the hosts
	for _, h := range c.Hosts() {
		n, noted := notes[h.Name]
		value := n.Settings[want.Name]
		if !noted || n.Cluster != c.Name || value == "" { // another cluster's are no matter here
			continue
		}
		if by[value] == "" {
			by[value] = h.Name
			values = append(values, value)
		}
	}
	switch {
	case len(values) > 1:
		slices.Sort(values)
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = fmt.Sprintf("%s (on %s)", v, by[v])
		}
		return &diag.Problem{
			Code: "setting-disputed", At: want.At.Ptr(),
			Summary: fmt.Sprintf("the hosts do not agree on the cluster's %s: %s", want.Name, strings.Join(words, ", ")),
			Detail:  fmt.Sprintf("Each host notes it in %s when it becomes a member, and a cluster has one only.", membership.Path),
			Fix:     "find out which host is not what drover made of it: correct its note, or run `drover reset HOST` and add it again",
		}
	case len(values) == 1 && values[0] != want.Value:
		return &diag.Problem{
			Code: "setting-changed", At: want.At.Ptr(),
			Summary: fmt.Sprintf("%s cannot be changed: the cluster has %s, as %s says, and the inventory has %s", want.Name, values[0], by[values[0]], want.Value),
			Detail:  want.Why,
			Fix:     fmt.Sprintf("set %s back to %s; %s", want.Name, values[0], want.Instead),
		}
	}
	return nil
}
