package identity

import (
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// Unnamed are the members that the inventory does not name. A missing fragment is
// no removal: they are kept.
func Unnamed(c *inventory.Cluster, members []cluster.Member) []cluster.Member {
	named := map[string]bool{}
	for _, h := range c.Hosts() {
		named[h.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return named[m.Name] })
}

// Replaced refuses machines that took a member's name: nothing is begun on them by
// an apply, since what the member had is not there. Of those that are meant to take it,
// as far as they are empty, nothing is said.
func Replaced(c *inventory.Cluster, seen map[string]facts.Snapshot, members []cluster.Member, meant func(name string) bool) error {
	var problems diag.Problems
	byName := map[string]cluster.Member{}
	for _, m := range slices.Backward(members) { // of two the first counts
		byName[m.Name] = m
	}
	for _, h := range c.Hosts() {
		m, known := byName[h.Name]
		if !known {
			continue
		}
		snap, reached := seen[h.Name]
		if meant(h.Name) && (!reached || empty(snap)) { // who is away is told of by whoever means it
			continue
		}
		if p := replaced(h, snap, reached, m); p != nil {
			p.Code, p.Host, p.At = machineReplaced, h.Name, h.Where.At("address").Ptr()
			problems = append(problems, *p)
		}
	}
	c.Quote(problems)
	return problems.Err()
}

// empty is a machine on which no cluster of drover's has begun.
func empty(snap facts.Snapshot) bool {
	_, noted := snap.Texts[membership.Path]
	_, data := snap.Dirs[manifests.EtcdDataDir+"/member/wal"]
	return !noted && !data
}

func replaced(h inventory.Host, snap facts.Snapshot, reached bool, m cluster.Member) *diag.Problem {
	_, noted := snap.Texts[membership.Path]
	_, data := snap.Dirs[manifests.EtcdDataDir+"/member/wal"]
	moved := m.Address.IsValid() && m.Address != h.Address
	back := fmt.Sprintf("set its address back to %s; to put another machine in its place, use `drover node replace %s`", m.Address, h.Name)
	switch {
	case moved && !reached:
		return &diag.Problem{
			Summary: fmt.Sprintf("the cluster knows %s at %s, and the inventory has it at %s", h.Name, m.Address, h.Address),
			Detail:  "The machine there could not be reached, so it is not known whether it is the same.",
			Fix:     back,
		}
	case moved && !noted:
		return &diag.Problem{
			Summary: fmt.Sprintf("the machine at %s is not the %s that the cluster knows, which is at %s", h.Address, h.Name, m.Address),
			Detail:  "It belongs to no cluster, and a member's name does not make it one.",
			Fix:     back,
		}
	case moved && m.Etcd:
		return &diag.Problem{
			Summary: fmt.Sprintf("etcd knows %s at %s, and the inventory has it at %s", h.Name, m.Address, h.Address),
			Detail:  "drover has no verb that moves a master to another address: etcd's members find each other by it.",
			Fix:     back,
		}
	// A run that was killed at the bootstrap leaves data, but no note yet.
	case reached && !noted && !data && m.Etcd:
		return impostor(h)
	}
	return nil
}

// machineReplaced is the code of a machine that is not the member of its name.
const machineReplaced = "machine-replaced"

// impostor is an empty machine under the name of one of etcd's members.
func impostor(h inventory.Host) *diag.Problem {
	return &diag.Problem{
		Summary: fmt.Sprintf("%s belongs to no cluster, but etcd has a member of that name", h.Name),
		Detail:  "It is another machine, or lost its disk. Begun anew under that name, it would lack what the member has confirmed.",
		Fix:     fmt.Sprintf("to let it take the member's place, use `drover node replace %s`; if it is not the machine you mean, correct its address", h.Name),
	}
}
