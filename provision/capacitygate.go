package provision

import (
	"context"
	"maps"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/plan"
)

// CapacityGate is how what there will be is judged before anything is changed.
type CapacityGate struct {
	// Checks are those that FAIL, and those that warn and that the change makes worse.
	Checks []CapacityCheck
	// Stops are those of them for which the run is not begun.
	Stops []CapacityCheck
	// Notes are what is wrong with waivers, Warnings what could not be looked at.
	Notes    diag.Problems
	Warnings []string
}

// CapacityGate judges the cluster as it will be after the plan, by what its hosts are
// and what runs there.
func (s *Session) CapacityGate(ctx context.Context, p plan.Plan) (CapacityGate, error) {
	if s.options.Nodes.inService() || len(p.Pending()) == 0 {
		return CapacityGate{}, nil
	}
	seen, err := s.surveyTouched(ctx, p)
	if err != nil {
		return CapacityGate{}, err
	}
	return s.capacityGate(ctx, seen), nil
}

// CapacityAhead is what of the gate can be told without asking a host again: what a
// plan warns of.
func (s *Session) CapacityAhead(ctx context.Context, p plan.Plan) CapacityGate {
	if s.options.Nodes.inService() || len(p.Pending()) == 0 {
		return CapacityGate{}
	}
	return s.capacityGate(ctx, nil)
}

// settled are checks of what cannot be changed later, or not by who comes and goes: that
// a cluster has it already is no reason to go on with it.
var settled = []string{"service-cidr", "pod-blocks", "pod-addresses-per-host"}

// ofMasters are what capacity says of the masters themselves: who removes some has the
// quorum's numbers, and is warned of what is left.
var ofMasters = []string{"master-count", "quorum-domain"}

func (s *Session) capacityGate(ctx context.Context, surveyed map[string]Facts) CapacityGate {
	var out CapacityGate
	after, t := s.remaining(), s.options.Nodes
	coming := s.coming(after)
	in := s.capacityInputs(after, surveyed)
	exists := s.verdict.Standing == identity.Existing
	if exists && (len(coming) > 0 || t.removes()) {
		out.Warnings = s.addRunning(ctx, &in, coming)
	}
	checks := slices.Concat(capacity.Tier0(after), capacity.Tier1(in))
	checks, out.Notes = capacity.Waive(checks, after, s.options.Now(), func(string) bool { return false })
	s.Cluster.Quote(out.Notes)
	var before []CapacityCheck
	if exists {
		in.Cluster, in.Hosts = s.before(coming), maps.Clone(in.Hosts)
		for _, name := range coming { // of who was there before under its name nothing is known
			delete(in.Hosts, name)
		}
		before = slices.Concat(capacity.Tier0(in.Cluster), capacity.Tier1(in))
		if !t.removes() {
			before = slices.DeleteFunc(before, func(c CapacityCheck) bool { return slices.Contains(settled, c.ID) })
		}
	}
	worse := capacity.Worsened(before, checks)
	for _, c := range checks {
		switch isWorse := slices.ContainsFunc(worse, c.Is); {
		case c.Status == CapacityPass, c.Status == CapacityWarn && !isWorse:
			continue
		case c.Status == CapacityFail && c.Waived == nil && isWorse && !s.bears(c, coming):
			out.Stops = append(out.Stops, c)
		case c.Status == CapacityFail && c.Waived == nil:
			c.Fix = "this run goes on all the same; " + c.Fix
		}
		out.Checks = append(out.Checks, c)
	}
	return out
}

// bears reports whether a run is begun although a check FAILs after it: who removes
// nodes may have said so, and of a host that is a member already a disk may fill at any
// time, which is no reason to leave all others alone.
func (s *Session) bears(c CapacityCheck, coming []string) bool {
	t := s.options.Nodes
	if t.removes() && (t.WithoutRoom || slices.Contains(ofMasters, c.ID)) {
		return true
	}
	return s.verdict.Standing == identity.Existing && hostNames(s.Cluster)[c.Subject] && !slices.Contains(coming, c.Subject)
}

// capacityInputs are what is known of hosts without asking any.
func (s *Session) capacityInputs(c *inventory.Cluster, surveyed map[string]Facts) capacity.Inputs {
	in := capacity.Inputs{Cluster: c, Hosts: map[string]capacity.HostFacts{}}
	for _, h := range s.Cluster.Hosts() {
		if f, ok := surveyed[h.Name]; ok {
			in.Hosts[h.Name] = hostFacts(h, f)
			continue
		}
		if snap, ok := s.seen[h.Name]; ok && snap.CPUs > 0 {
			in.Hosts[h.Name] = capacity.HostFacts{CPUs: snap.CPUs, Memory: snap.Memory}
		}
	}
	return in
}

// addRunning adds what runs in the cluster, and what that knows of the hosts that stay.
func (s *Session) addRunning(ctx context.Context, in *capacity.Inputs, coming []string) []string {
	api, err := s.access.API(ctx)
	if err != nil {
		return []string{unasked(err)}
	}
	load, err := api.Load(ctx)
	if err != nil {
		return []string{unasked(err)}
	}
	own := map[string]capacity.HostFacts{}
	for _, name := range coming { // of a name that another machine had, the cluster knows that one
		if f, ok := in.Hosts[name]; ok {
			own[name] = f
		}
	}
	warnings := running(in, load)
	for _, name := range coming {
		delete(in.Hosts, name)
		if f, ok := own[name]; ok {
			in.Hosts[name] = f
		}
	}
	return warnings
}

// coming are the hosts that are no members yet: another machine in a member's place is
// none.
func (s *Session) coming(c *inventory.Cluster) []string {
	var names []string
	for _, h := range c.Hosts() {
		if s.options.Nodes.replaces(h.Name) || !s.isMember(h) {
			names = append(names, h.Name)
		}
	}
	return names
}

func (s *Session) isMember(h inventory.Host) bool {
	for _, m := range s.members {
		if m.Name == h.Name {
			return true
		}
	}
	_, noted := s.seen[h.Name].Texts[membership.Path]
	return noted
}

// before is the inventory's part of the cluster as it is.
func (s *Session) before(coming []string) *inventory.Cluster {
	c := *s.Cluster
	joins := func(h inventory.Host) bool {
		return slices.Contains(coming, h.Name) && !s.options.Nodes.replaces(h.Name)
	}
	c.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), joins)
	c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), joins)
	return &c
}
