package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/plan"
)

// A machine that was removed without being reset has its kubelet and the credentials of
// that still. It makes no Node; but under one of its name it would speak, beside the
// machine that has the name by then. So the masters remember it, and whoever gives its
// name to another is told.

// machine is a host's machine-id, as the cluster knows it.
func (s *Session) machine(name string) string {
	i := slices.IndexFunc(s.members, func(m cluster.Member) bool { return m.Name == name })
	if i < 0 {
		return ""
	}
	return s.members[i].Machine
}

// toGo are the machines that are to leave the cluster as they are.
func (s *Session) toGo() (all []history.Machine) {
	for _, n := range s.leaving {
		if !n.Reached && !n.Ended { // else the run before has told
			all = append(all, history.Machine{Name: n.Name, ID: s.machine(n.Name)})
		}
	}
	return all
}

// went are those that have, and those that were reset.
func (s *Session) went(o Outcome, wiped []string) []history.Machine {
	all := slices.DeleteFunc(s.toGo(), func(m history.Machine) bool {
		id := func(kind string) string { return string(plan.NewID(plan.ClusterHost, kind, m.Name)) }
		return !slices.Contains(o.IDs, id("node")) && !slices.Contains(o.IDs, id("former-node"))
	})
	for _, name := range wiped {
		if id := s.seen[name].MachineID; id != "" {
			all = append(all, history.Machine{Name: name, ID: id, Reset: true})
		}
	}
	return all
}

// warnOfUnreset tells of machines that had the name of one that joins, and have their
// disks still. Where nobody joins, nobody is asked.
func (s *Session) warnOfUnreset(ctx context.Context) {
	t := s.options.Nodes
	if s.verdict.Standing != identity.Existing || t.limited() && t.Verb != NodeAdd && t.Verb != NodeReplace {
		return
	}
	joins := slices.DeleteFunc(s.remaining().Hosts(), func(h inventory.Host) bool {
		snap, reached := s.seen[h.Name]
		_, noted := snap.Texts[membership.Path]
		return !reached || noted || t.limited() && !t.has(h.Name)
	})
	if len(joins) == 0 {
		return
	}
	runs, err := s.remembered(ctx)
	if err != nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("whether a machine was removed without being reset whose name another is to have could not be asked: %v", err))
	}
	removed := history.Unreset(runs)
	for _, h := range joins {
		for _, r := range removed {
			if r.Name == h.Name && (r.ID == "" || r.ID != s.seen[h.Name].MachineID) {
				s.Warnings = append(s.Warnings, fmt.Sprintf("another machine that was %s was removed on %s and not reset since: when it comes back with its disk, its kubelet speaks for the new one as well, and runs its pods a second time. Reset it where it is, or see that it stays off",
					h.Name, r.When.UTC().Format("2006-01-02")))
			}
		}
	}
}

// remembered is what the masters that were reached remember of runs. One that cannot tell
// is made up for by the others: each has it all.
func (s *Session) remembered(ctx context.Context) ([]history.Run, error) {
	var mu sync.Mutex
	var all [][]history.Run
	var conns []*ssh.Conn
	for _, name := range slices.Sorted(maps.Keys(s.conns)) {
		if slices.Contains(s.masters, name) && s.Away[name] == nil {
			conns = append(conns, s.conns[name])
		}
	}
	err := eachOf(conns, func(c *ssh.Conn) error {
		runs, err := history.Read(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, runs)
		return err
	})
	if len(slices.Concat(all...)) > 0 {
		err = nil
	}
	return history.Merge(all...), err
}
