package provision

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/droverctl/drover/provision/internal/catalog"
	"github.com/droverctl/drover/provision/internal/preflight"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// PuppetManaged is what Puppet manages on the hosts that a plan would touch, and drover
// is about to write there. Hosts without Puppet are not asked.
func (s *Session) PuppetManaged(ctx context.Context, p plan.Plan) ([]Finding, error) {
	touched, programs := s.touched(p), map[string]string{}
	for name := range touched {
		programs[name] = puppet.Program(s.seen[name])
	}
	in := preflight.Inputs{Cluster: s.Cluster, Facts: map[string]Facts{}, Now: s.options.Now()}
	in.Puppet = s.managed(ctx, programs, s.writes(p))
	for name := range in.Puppet {
		in.Facts[name] = Facts{Host: name}
	}
	return preflight.CheckPuppet(in), context.Cause(ctx)
}

// managed asks the agents of hosts, by their programs, what they manage of what is
// claimed there. A host without one is left out.
func (s *Session) managed(ctx context.Context, programs map[string]string, claims map[string]catalog.Claims) map[string]preflight.Puppet {
	out := map[string]preflight.Puppet{}
	var mu sync.Mutex
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return programs[t.Name] == "" || s.conns[t.Name] == nil })
	s.each(targets, func(t ssh.Target) {
		l, err := puppet.LookAt(ctx, s.conns[t.Name], puppet.Agent{Program: programs[t.Name]}, true)
		if err == nil {
			s.knowAgent(t.Name, l.Agent)
		}
		mu.Lock()
		defer mu.Unlock()
		out[t.Name] = preflight.Puppet{
			Conflicts: catalog.Conflicts(l.Managed.Managed, claims[t.Name]), From: l.Managed.From, Why: l.Managed.Why, Err: err,
		}
	})
	return out
}

// writes are what a plan writes on hosts.
func (s *Session) writes(p plan.Plan) map[string]catalog.Claims {
	byID := map[plan.ID]resource.Resource{}
	for i, r := range s.resources {
		byID[s.items[i].ID] = r
	}
	out := map[string]catalog.Claims{}
	for _, c := range p.Pending() {
		name := c.ID.Host()
		out[name] = claim(out[name], byID[c.ID], c)
	}
	return out
}

// claim adds what a change writes.
func claim(to catalog.Claims, r resource.Resource, c plan.Change) catalog.Claims {
	switch r := r.(type) {
	case resource.File:
		to.Files = append(to.Files, r.Path)
	case resource.Shared:
		to.Files = append(to.Files, r.File.Path)
	case resource.Certificate:
		to.Files = append(to.Files, r.Cert.Cert.Path, r.Cert.Key.Path)
	case resource.Fact:
		to.Files = append(to.Files, resource.FactPath)
	case resource.Dir:
		to.Files = append(to.Files, r.Path)
	case resource.Artifact:
		to.Files = append(to.Files, resource.OptDir+"/"+r.Component)
	case resource.NoFile:
		to.Gone = append(to.Gone, r.Path)
	case resource.Unit:
		to.Units = append(to.Units, r.Name)
	case resource.Packages:
		for _, k := range r.Packages {
			if c.Before[k.Name] == "installed" {
				continue
			}
			to.Packages = append(to.Packages, k.Name)
			if k.Service != "" {
				to.Stopped = append(to.Stopped, strings.TrimSuffix(k.Service, ".service")+".service")
			}
		}
	case resource.Sysctls:
		if to.Sysctls == nil {
			to.Sysctls = map[string]string{}
		}
		for key, want := range r.Values {
			if c.Before[key] != want {
				to.Sysctls[key] = want
			}
		}
	}
	return to
}

// managedAhead is managed of hosts that are in no cluster yet, of all that drover would
// write there. Those that are have it already, and a plan tells what of it differs.
func (s *Session) managedAhead(ctx context.Context, seen map[string]Facts) (map[string]preflight.Puppet, error) {
	programs := map[string]string{}
	for name, f := range seen {
		if f.Puppet != "" && !f.Drove.Member {
			programs[name] = f.Puppet
		}
	}
	if len(programs) == 0 {
		return nil, nil
	}
	bundle, err := trust.Generate(s.options.Now()) // certificates are told by their paths
	if err != nil {
		return nil, err
	}
	all, err := hostResources(s.Cluster, bundle, s.options, func(name string) bool { return programs[name] == "" })
	if err != nil {
		return nil, err
	}
	claims := map[string]catalog.Claims{}
	for _, r := range all {
		item := r.Item()
		claims[item.ID.Host()] = claim(claims[item.ID.Host()], r, plan.Change{Item: item})
	}
	for name, c := range claims { // with a load balancer of its own, and without
		slices.Sort(c.Files)
		c.Files = slices.Compact(c.Files)
		slices.Sort(c.Units)
		c.Units = slices.Compact(c.Units)
		claims[name] = c
	}
	return s.managed(ctx, programs, claims), context.Cause(ctx)
}
