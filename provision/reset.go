package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
)

// Reset is what a reset would take away. It is looked up before anything is
// asked, and changes nothing until Run.
type Reset struct {
	Cluster string
	Whole   bool // every host of the inventory, so the BIG-IPs' side as well
	Hosts   []ResetHost
	BigIPs  []ResetBigIP
	// Workloads are the users' own that run on these hosts; WorkloadsUnknown says
	// why that cannot be told.
	Workloads        []string
	WorkloadsUnknown string
	// Away are hosts that are to be reset and could not be reached, and why.
	Away     map[string]error
	Warnings []string

	session    *Session
	neighbours *neighbours
	names      []string        // that were given
	etcd       *cluster.Access // nil: no etcd is known of
	// etcdUnknown is why that is not known.
	etcdUnknown error
	done        func()

	mu    *sync.Mutex
	wiped []string // that nothing else of drover's is on any more
}

// ResetHost is one host that was reached.
type ResetHost struct {
	Name   string
	Role   inventory.Role
	Traces map[string]int // how many things of drover's there are, by kind

	host reset.Host
}

// Bare reports whether nothing of drover's is there.
func (h ResetHost) Bare() bool { return len(h.Traces) == 0 }

// ResetBigIP is a BIG-IP that drover configures.
type ResetBigIP struct {
	Name  string
	Lines []string // what is entered there; none when nothing of ours is left
}

// PlanReset looks at what there is to take from the hosts named, or from all.
func PlanReset(ctx context.Context, c *inventory.Cluster, names []string, o Options) (*Reset, error) {
	r := &Reset{Cluster: c.Name, session: begin(c, o), names: names}
	if err := r.plan(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Names are the hosts and BIG-IPs that something is to be taken from.
func (r *Reset) Names() []string {
	var names []string
	for _, h := range r.Hosts {
		if !h.Bare() {
			names = append(names, h.Name)
		}
	}
	for _, b := range r.BigIPs {
		if len(b.Lines) > 0 {
			names = append(names, b.Name)
		}
	}
	return names
}

// Close ends the connections.
func (r *Reset) Close() {
	r.letGo()
	r.session.Close()
}

func (r *Reset) letGo() {
	if r.done != nil {
		r.done()
	}
	if r.session.access != nil {
		r.session.access.Close()
	}
}

func (r *Reset) plan(ctx context.Context) error {
	s := r.session
	r.Away, r.mu = map[string]error{}, &sync.Mutex{}
	bundle, err := trust.Generate(s.options.Now()) // certificates are told by their paths
	if err != nil {
		return err
	}
	if err := r.choose(r.names, bundle); err != nil {
		return err
	}
	known := make(chan struct{})
	close(known)
	s.look(ctx, known)
	if ctx.Err() != nil { // what was not seen then is not away
		return context.Cause(ctx)
	}
	for _, h := range r.Hosts {
		if why := s.Away[h.Name]; why != nil {
			r.Away[h.Name] = why
		}
	}
	r.Hosts = slices.DeleteFunc(r.Hosts, func(h ResetHost) bool { return r.Away[h.Name] != nil })
	s.masters = s.noted()
	for _, p := range identity.Foreign(s.Cluster, s.seen) {
		if slices.ContainsFunc(r.Hosts, func(h ResetHost) bool { return h.Name == p.Host }) {
			return fmt.Errorf("%s: %s", p.Summary, p.Fix)
		}
	}
	if err := r.lookForTraces(ctx); err != nil {
		return err
	}
	r.reach(ctx, bundle)
	r.lookForWorkloads(ctx)
	r.lookForStrangers(ctx)
	r.lookAtBigIPs()
	return nil
}

// choose finds the hosts and what drover may have put on them.
func (r *Reset) choose(names []string, bundle *trust.Bundle) error {
	c := r.session.Cluster
	var known []string
	for _, h := range c.Hosts() {
		known = append(known, h.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("the inventory has no host %q: it has %s", name, strings.Join(known, ", "))
		}
	}
	all, err := hostResources(c, bundle, r.session.options, func(string) bool { return false })
	if err != nil {
		return err
	}
	for _, h := range c.Hosts() {
		if len(names) == 0 || slices.Contains(names, h.Name) {
			r.Hosts = append(r.Hosts, ResetHost{Name: h.Name, Role: h.Role, host: reset.Of(h.Name, all, networks(c))})
		}
	}
	r.Whole = len(r.Hosts) == len(known)
	return nil
}

// hostResources are what drover may have put on the hosts that are not away, with a
// load balancer of their own and without: the endpoint may have been given since.
func hostResources(c *inventory.Cluster, bundle *trust.Bundle, o Options, away func(string) bool) ([]resource.Resource, error) {
	var all []resource.Resource
	for _, endpoint := range []string{"", cmp.Or(c.API.Endpoint, "any.example.net:6443")} {
		other := *c
		other.API.Endpoint = endpoint
		rs, err := desired.Hosts(desired.Inputs{Cluster: &other, Bundle: bundle, Now: o.Now, Away: away})
		if err != nil {
			return nil, err
		}
		all = append(all, rs...)
	}
	return all, nil
}

func (r *Reset) lookForTraces(ctx context.Context) error {
	errs := r.all(r.Hosts, func(i int, h ResetHost) error {
		traces, err := h.host.Look(ctx, r.session.conns[h.Name])
		r.Hosts[i].Traces = map[string]int{}
		for _, t := range traces {
			r.Hosts[i].Traces[t.Kind]++
		}
		return err
	})
	return errors.Join(errs...)
}

// reach opens the ways to the API and to etcd, as far as there are any. What
// cannot be reached is not needed to take things away.
func (r *Reset) reach(ctx context.Context, bundle *trust.Bundle) {
	s := r.session
	s.access = s.way(bundle) // to nothing, so far
	verdict, err := identity.Of(s.Cluster, s.seen)
	if err != nil {
		r.Warnings, r.etcdUnknown = append(r.Warnings, err.Error()), err
		return
	}
	s.verdict = verdict
	if verdict.Standing != identity.Existing {
		return
	}
	if err := s.trust(ctx, bundle); err != nil {
		r.Warnings, r.etcdUnknown = append(r.Warnings, err.Error()), err
		return
	}
	s.access = s.meeting(ctx, bundle)
	r.Warnings = append(r.Warnings, s.Warnings...)
	r.etcd, r.done = s.anyway() // it may be well although the API is not
}

// lookForWorkloads asks the API what runs. Where it does not answer, hosts on
// which no container runs tell as much: that is how a reset that was cut off goes
// on without its API.
func (r *Reset) lookForWorkloads(ctx context.Context) {
	var names, busy []string
	for _, h := range r.Hosts {
		names = append(names, h.Name)
		if n := h.Traces["container"]; n > 0 {
			busy = append(busy, fmt.Sprintf("%s (%d pods)", h.Name, n))
		}
	}
	api, err := r.session.access.API(ctx)
	if err == nil {
		if r.Whole {
			names = nil
		}
		var found []kube.Workload
		if found, err = api.Workloads(ctx, names...); err == nil {
			for _, w := range found {
				r.Workloads = append(r.Workloads, w.String())
			}
			return
		}
	}
	if len(busy) > 0 {
		r.WorkloadsUnknown = fmt.Sprintf("the API cannot be asked whose the pods on %s are", strings.Join(busy, ", "))
	}
}

// lookForStrangers warns of nodes that would lose their cluster and stay as they
// are, because the inventory does not name them.
func (r *Reset) lookForStrangers(ctx context.Context) {
	api, err := r.session.access.API(ctx)
	if err != nil || !r.Whole {
		return
	}
	nodes, err := api.NodeStates(ctx)
	if err != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("whether the cluster has nodes that the inventory does not name is not known: %v", err))
	}
	for _, n := range nodes {
		if !slices.ContainsFunc(r.Hosts, func(h ResetHost) bool { return h.Name == n.Name }) && r.Away[n.Name] == nil {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s is a node of the cluster, but not in the inventory: it loses its cluster and is not reset", n.Name))
		}
	}
}

func (r *Reset) lookAtBigIPs() {
	if !r.Whole {
		return
	}
	for _, b := range r.session.Cluster.BigIPs {
		if b.Manage != inventory.ManageSSH {
			continue
		}
		if why := r.session.Away[b.Name]; why != nil {
			r.Away[b.Name] = why
			continue
		}
		text := r.session.seen[b.Name].Texts[facts.RunningConfig]
		r.BigIPs = append(r.BigIPs, ResetBigIP{b.Name, bgp.Removal(text, bgp.New(r.session.Cluster, b))})
	}
}

// Nothing reports whether there is nothing to take away.
func (r *Reset) Nothing() bool {
	return !slices.ContainsFunc(r.Hosts, func(h ResetHost) bool { return !h.Bare() }) &&
		!slices.ContainsFunc(r.BigIPs, func(b ResetBigIP) bool { return len(b.Lines) > 0 })
}

// Refusal is why this must not be done, if it must not.
func (r *Reset) Refusal(ctx context.Context, withWorkloads bool) error {
	switch {
	case withWorkloads:
	case len(r.Workloads) > 0:
		return fmt.Errorf("not reset: workloads still run there: %s. Move or delete them first, or give --with-workloads to lose them",
			strings.Join(r.Workloads, ", "))
	case r.WorkloadsUnknown != "":
		return fmt.Errorf("not reset: %s, so workloads may run there. Mend the API first, or give --with-workloads to lose whatever runs", r.WorkloadsUnknown)
	}
	return r.quorumRefusal(ctx)
}

// quorumRefusal keeps a reset of some hosts from ending the cluster of the rest.
func (r *Reset) quorumRefusal(ctx context.Context) error {
	masters := r.masters()
	if r.Whole || len(masters) == 0 {
		return nil
	}
	if r.etcdUnknown != nil {
		return fmt.Errorf("not reset: whether etcd would keep its quorum without %s is not known, and it has to be taken off etcd first: %w. Mend that, or reset the whole cluster (`drover reset`)",
			strings.Join(masters, ", "), r.etcdUnknown)
	}
	if r.etcd == nil { // no cluster began here
		return nil
	}
	status, err := r.etcdStatus(ctx)
	if err != nil {
		return fmt.Errorf("not reset: whether etcd would keep its quorum without %s is not known: %w", strings.Join(masters, ", "), err)
	}
	if before, after := status.Quorum(), status.Losing(masters...); !after.Has() {
		return fmt.Errorf("not reset: etcd would lose its quorum: now %s; without %s, %s. Reset fewer masters at once, or the whole cluster (`drover reset`)",
			before, strings.Join(masters, ", "), after)
	}
	return nil
}

func (r *Reset) etcdStatus(ctx context.Context) (etcd.Status, error) {
	client, err := r.etcd.Etcd()
	if err != nil {
		return etcd.Status{}, err
	}
	defer client.Close()
	return client.Status(ctx)
}

// masters are those to be reset that have anything to lose.
func (r *Reset) masters() []string {
	var names []string
	for _, h := range r.Hosts {
		if h.Role == inventory.RoleMaster && !h.Bare() {
			names = append(names, h.Name)
		}
	}
	return names
}
