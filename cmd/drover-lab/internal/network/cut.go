package network

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// cutTable drops what the sets name: frames between two ports, all frames of a
// port, and frames between a port and the gateway (which is the bridge itself
// and has no port). Frames, not packets: what a machine routes for its pods is
// cut with it, and so is ARP.
const cutTable = `
add table bridge lab
add set bridge lab cut { type ifname . ifname; }
add set bridge lab isolated { type ifname; }
add set bridge lab ungated { type ifname; }
add chain bridge lab forward { type filter hook forward priority 0; }
add chain bridge lab input { type filter hook input priority 0; }
add chain bridge lab output { type filter hook output priority 0; }
flush chain bridge lab forward
flush chain bridge lab input
flush chain bridge lab output
add rule bridge lab forward iifname . oifname @cut drop
add rule bridge lab forward iifname @isolated drop
add rule bridge lab forward oifname @isolated drop
add rule bridge lab input iifname @isolated drop
add rule bridge lab output oifname @isolated drop
add rule bridge lab input iifname @ungated drop
add rule bridge lab output oifname @ungated drop
`

// Everyone is the second party of a cut that separates one from all.
const Everyone = "*"

// Cut is an interrupted connection between two parties.
type Cut struct {
	A string `json:"a"`
	B string `json:"b"` // Everyone: A is cut from all
}

// Apply makes the cut; one that exists is left.
func (c Cut) Apply(ctx context.Context, lab topology.Lab) error { return c.change(ctx, lab, "add") }

// Heal removes the cut; one that does not exist is done.
func (c Cut) Heal(ctx context.Context, lab topology.Lab) error {
	// Adding first makes the deletion of an element that is not there succeed.
	if err := c.Apply(ctx, lab); err != nil {
		return err
	}
	return c.change(ctx, lab, "delete")
}

func (c Cut) change(ctx context.Context, lab topology.Lab, verb string) error {
	set, elements, err := c.elements(lab)
	if err != nil {
		return err
	}
	script := fmt.Sprintf("%s element bridge lab %s { %s }\n", verb, set, strings.Join(elements, ", "))
	if _, err := inside(ctx, fabricNS(lab.Name), script, "nft", "-f", "-"); err != nil {
		return fmt.Errorf("cut %s %s: %w", c.A, c.B, err)
	}
	return nil
}

// elements are the cut's set and what it puts there, both directions.
func (c Cut) elements(lab topology.Lab) (set string, elements []string, err error) {
	if c.A == topology.Gateway {
		c.A, c.B = c.B, c.A
	}
	a, err := partyPorts(lab, c.A)
	if err != nil {
		return "", nil, err
	}
	switch c.B {
	case Everyone, topology.Gateway:
		for _, p := range a {
			elements = append(elements, fmt.Sprintf("%q", p))
		}
		if c.B == Everyone {
			return "isolated", elements, nil
		}
		return "ungated", elements, nil
	}
	b, err := partyPorts(lab, c.B)
	if err != nil {
		return "", nil, err
	}
	if c.A == c.B {
		return "", nil, fmt.Errorf("cut %s %s: a party cannot be cut from itself", c.A, c.B)
	}
	for _, p := range a {
		for _, q := range b {
			elements = append(elements, fmt.Sprintf("%q . %q", p, q), fmt.Sprintf("%q . %q", q, p))
		}
	}
	return "cut", elements, nil
}

// Cuts are the cuts in force, read back from the kernel, in a stable order.
func Cuts(ctx context.Context, lab topology.Lab) ([]Cut, error) {
	out, err := inside(ctx, fabricNS(lab.Name), "", "nft", "-j", "list", "table", "bridge", "lab")
	if err != nil {
		return nil, fmt.Errorf("cuts: %w", err)
	}
	var ruleset struct {
		Nftables []struct {
			Set *struct {
				Name string            `json:"name"`
				Elem []json.RawMessage `json:"elem"`
			} `json:"set"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal([]byte(out), &ruleset); err != nil {
		return nil, fmt.Errorf("cuts: %w", err)
	}
	owner := owners(lab)
	found := map[Cut]bool{}
	for _, o := range ruleset.Nftables {
		if o.Set == nil {
			continue
		}
		for _, raw := range o.Set.Elem {
			cut, err := readElement(o.Set.Name, raw, owner)
			if err != nil {
				return nil, fmt.Errorf("cuts: set %s: %w", o.Set.Name, err)
			}
			found[cut] = true
		}
	}
	cuts := make([]Cut, 0, len(found))
	for c := range found {
		cuts = append(cuts, c)
	}
	slices.SortFunc(cuts, func(x, y Cut) int {
		return strings.Compare(x.A+" "+x.B, y.A+" "+y.B)
	})
	return cuts, nil
}

// readElement turns an element of a set back into the cut it belongs to.
func readElement(set string, raw json.RawMessage, owner map[string]string) (Cut, error) {
	if set == "cut" {
		var pair struct {
			Concat []string `json:"concat"`
		}
		if err := json.Unmarshal(raw, &pair); err != nil {
			return Cut{}, err
		}
		if len(pair.Concat) != 2 {
			return Cut{}, fmt.Errorf("element %s: not a pair", raw)
		}
		a, b := owner[pair.Concat[0]], owner[pair.Concat[1]]
		return Cut{A: min(a, b), B: max(a, b)}, nil
	}
	var port string
	if err := json.Unmarshal(raw, &port); err != nil {
		return Cut{}, err
	}
	if set == "ungated" {
		return Cut{A: owner[port], B: topology.Gateway}, nil
	}
	return Cut{A: owner[port], B: Everyone}, nil
}

// Parties are the names that can be cut and shaped.
func Parties(lab topology.Lab) []string {
	names := []string{topology.Admin, topology.Gateway, topology.Mirror}
	for _, m := range lab.Machines {
		names = append(names, m.Name)
	}
	return names
}

// partyPorts are the bridge ports of a party.
func partyPorts(lab topology.Lab, party string) ([]string, error) {
	switch party {
	case topology.Admin, topology.Mirror:
		return []string{lab.Port(party, 0)}, nil
	}
	m, ok := lab.Machine(party)
	if !ok {
		return nil, fmt.Errorf("%q is no party of lab %q: it has %s", party, lab.Name, strings.Join(Parties(lab), ", "))
	}
	var ports []string
	for n := range m.Interfaces {
		ports = append(ports, lab.Port(m.Name, n))
	}
	return ports, nil
}

// owners maps each bridge port to its party.
func owners(lab topology.Lab) map[string]string {
	owner := map[string]string{}
	for _, party := range Parties(lab) {
		ports, err := partyPorts(lab, party)
		if err != nil {
			continue // the gateway has none
		}
		for _, p := range ports {
			owner[p] = party
		}
	}
	return owner
}
