package provision

import (
	"context"
	"maps"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
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
	return s.capacityGate(ctx, p, seen), nil
}

// CapacityAhead is what of the gate can be told without asking a host again: what a
// plan warns of.
func (s *Session) CapacityAhead(ctx context.Context, p plan.Plan) CapacityGate {
	if s.options.Nodes.inService() || len(p.Pending()) == 0 {
		return CapacityGate{}
	}
	return s.capacityGate(ctx, p, nil)
}

// ofMasters are what capacity says of the masters themselves: who removes some has the
// quorum's numbers, and is warned of what is left.
var ofMasters = []string{"master-count", "quorum-domain"}

// ofRoom are what tells whether pods find room.
var ofRoom = []string{"workload-pods", "workload-fits", "headroom-cpu", "headroom-memory", "headroom-pods"}

// gating is what a run makes of a cluster, as far as capacity is concerned. What is
// declared of workloads and BIG-IPs is nothing that it changes: that is judged as it is
// written, before and after.
type gating struct {
	after *inventory.Cluster
	// coming are the hosts that are no members yet, reshaped the members whose kubelet is
	// configured anew.
	coming, reshaped []string
}

func (s *Session) gating(p plan.Plan) gating {
	g := gating{after: s.remaining()}
	g.coming = s.coming(g.after)
	if t := s.options.Nodes; t.limited() { // whom the run does not take in is not there after it either
		stays := func(h inventory.Host) bool { return slices.Contains(g.coming, h.Name) && !t.has(h.Name) }
		c := *g.after
		c.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), stays)
		c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), stays)
		g.after = &c
	}
	for _, c := range p.Pending() {
		if c.ID.What() == "file:"+manifests.KubeletConfigPath && c.Action != plan.Delete && !slices.Contains(g.coming, c.ID.Host()) {
			g.reshaped = append(g.reshaped, c.ID.Host())
		}
	}
	return g
}

// addsOnly reports whether a run takes room from nobody: nodes come, and no more.
func (s *Session) addsOnly(g gating) bool {
	t := s.options.Nodes
	return !t.removes() && len(g.reshaped) == 0 && !slices.ContainsFunc(g.coming, t.replaces)
}

func (s *Session) capacityGate(ctx context.Context, p plan.Plan, surveyed map[string]Facts) CapacityGate {
	g := s.gating(p)
	if s.verdict.Standing != identity.Existing || len(g.coming) == 0 && len(g.reshaped) == 0 && !s.options.Nodes.removes() {
		return s.gate(g, surveyed, nil)
	}
	load, err := s.load(ctx)
	out := s.gate(g, surveyed, load)
	if err != nil {
		out.Warnings = append(out.Warnings, unasked(err))
	}
	return out
}

func (s *Session) load(ctx context.Context) (*kube.Load, error) {
	api, err := s.access.API(ctx)
	if err != nil {
		return nil, err
	}
	load, err := api.Load(ctx)
	if err != nil {
		return nil, err
	}
	return &load, nil
}

// gate judges by what runs; nil where that is not known.
func (s *Session) gate(g gating, surveyed map[string]Facts, load *kube.Load) CapacityGate {
	var out CapacityGate
	in := s.capacityInputs(g.after, surveyed)
	exists := s.verdict.Standing == identity.Existing
	var former map[string]capacity.HostFacts
	if load != nil {
		former, out.Warnings = addRunning(&in, *load, g.coming)
	}
	was := in
	in.Hosts = reckoned(in.Hosts, g.reshaped, capacity.AsWritten)
	checks := slices.Concat(capacity.Tier0(g.after), capacity.Tier1(in))
	checks, out.Notes = capacity.Waive(checks, g.after, s.options.Now(), func(string) bool { return false })
	s.Cluster.Quote(out.Notes)
	var before []CapacityCheck
	if exists {
		was.Cluster, was.Hosts = s.before(g, load), reckoned(was.Hosts, g.reshaped, capacity.AsIs)
		maps.Copy(was.Hosts, former)
		before = slices.Concat(capacity.Tier0(was.Cluster), capacity.Tier1(was))
		before = slices.DeleteFunc(before, func(c CapacityCheck) bool {
			// Another machine is judged by itself, and what kubelets keep back only the cluster knows.
			return slices.Contains(g.coming, c.Subject) || load == nil && c.ID == "node-allocatable" && slices.Contains(g.reshaped, c.Subject)
		})
	}
	worse := capacity.Worsened(before, checks)
	for _, c := range checks {
		switch isWorse := slices.ContainsFunc(worse, c.Is); {
		case c.Status == CapacityPass, c.Status == CapacityWarn && !isWorse:
			continue
		case c.Status == CapacityFail && c.Waived == nil && isWorse && !s.bears(c, g):
			out.Stops = append(out.Stops, c)
		case c.Status == CapacityFail && c.Waived == nil:
			c.Fix = "this run goes on all the same; " + c.Fix
		}
		out.Checks = append(out.Checks, c)
	}
	return out
}

// reckoned are facts by which the room of some hosts is told in another way.
func reckoned(hosts map[string]capacity.HostFacts, names []string, by capacity.Reckoning) map[string]capacity.HostFacts {
	hosts = maps.Clone(hosts)
	for _, name := range names {
		if f, ok := hosts[name]; ok {
			f.Reckoned = by
			hosts[name] = f
		}
	}
	return hosts
}

// bears reports whether a run is begun although a check FAILs after it: who removes
// nodes may have said so; who only adds some makes no pod's room less; and of a host that
// is a member already a disk may fill at any time, which is no reason to leave all others
// alone. What the run itself has its kubelet keep back is one.
func (s *Session) bears(c CapacityCheck, g gating) bool {
	t := s.options.Nodes
	if c.ID == "node-allocatable" && slices.Contains(g.reshaped, c.Subject) {
		return false
	}
	if t.removes() && (t.WithoutRoom || slices.Contains(ofMasters, c.ID)) {
		return true
	}
	if s.verdict.Standing != identity.Existing {
		return false
	}
	return s.addsOnly(g) && slices.Contains(ofRoom, c.ID) ||
		hostNames(s.Cluster)[c.Subject] && !slices.Contains(g.coming, c.Subject)
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

// addRunning adds what runs in the cluster, and what that knows of the hosts that stay;
// it returns what it knows of machines whose place others take.
func addRunning(in *capacity.Inputs, load kube.Load, coming []string) (former map[string]capacity.HostFacts, warnings []string) {
	own := map[string]capacity.HostFacts{}
	for _, name := range coming { // of a name that another machine had, the cluster knows that one
		if f, ok := in.Hosts[name]; ok {
			own[name] = f
			delete(in.Hosts, name)
		}
	}
	warnings = running(in, load)
	former = map[string]capacity.HostFacts{}
	for _, name := range coming {
		if f, ok := in.Hosts[name]; ok {
			former[name] = f
			delete(in.Hosts, name)
		}
		if f, ok := own[name]; ok {
			in.Hosts[name] = f
		}
	}
	return former, warnings
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
func (s *Session) before(g gating, load *kube.Load) *inventory.Cluster {
	c := *s.Cluster
	joins := func(h inventory.Host) bool {
		return slices.Contains(g.coming, h.Name) && !s.options.Nodes.replaces(h.Name)
	}
	c.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), joins)
	c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), joins)
	if load == nil {
		return &c
	}
	pods := load.MaxPods()
	for _, hosts := range [][]inventory.Host{c.KubeMasters, c.KubeNodes} {
		for i := range hosts {
			if n := pods[hosts[i].Name]; n > 0 && slices.Contains(g.reshaped, hosts[i].Name) {
				hosts[i].Kubelet.MaxPods = n
			}
		}
	}
	return &c
}
