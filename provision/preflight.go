package provision

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/preflight"
	"github.com/droverctl/drover/provision/internal/reach"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/survey"
	"github.com/droverctl/drover/provision/plan"
)

// Facts is what one host is.
type Facts = survey.Facts

// Finding is one thing that stands in the way on one host.
type Finding = preflight.Finding

// FAIL keeps a host from being touched, WARN does not.
const (
	FindingWarn = preflight.Warn
	FindingFail = preflight.Fail
)

// FindingsFail reports whether one of them must not be passed over, FindingsWarn
// whether there is one that can be. What is waived is neither.
func FindingsFail(f []Finding) bool { return preflight.Failed(f) }

// FindingsWarn is described with FindingsFail.
func FindingsWarn(f []Finding) bool { return preflight.Warned(f) }

// Survey is what the hosts of an inventory are.
type Survey struct {
	Cluster *inventory.Cluster
	Facts   []Facts // in the inventory's order
	// Away are the hosts that could not be asked, and why.
	Away map[string]error
	At   time.Time // when they were asked
}

// TakeSurvey asks every host of the inventory what it is. It only looks, and needs
// neither a cluster nor anything to install one from.
func TakeSurvey(ctx context.Context, c *inventory.Cluster, o Options) Survey {
	s := begin(c, o)
	defer s.Close()
	return s.surveyAll(ctx)
}

// TakePreflight is TakeSurvey with what stands in the way on the hosts that were
// asked. Hosts that are in no cluster yet listen on the ports they will need while
// it looks who reaches them.
func TakePreflight(ctx context.Context, c *inventory.Cluster, o Options) (Survey, []Finding, error) {
	s := begin(c, o)
	defer s.Close()
	v := s.surveyAll(ctx)
	in := preflight.Inputs{Cluster: c, Facts: map[string]Facts{}, Authorities: map[string][]pki.Description{}, Now: v.At}
	for _, f := range v.Facts {
		in.Facts[f.Host], in.Authorities[f.Host] = f, f.Authorities
	}
	var err error
	if in.Reach, err = s.reachable(ctx, in.Facts); err == nil {
		in.Puppet, err = s.managedAhead(ctx, in.Facts)
	}
	return v, preflight.Check(in), err
}

func (s *Session) surveyAll(ctx context.Context) Survey {
	hosts := hostNames(s.Cluster)
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return !hosts[t.Name] })
	s.reach(ctx, targets, nil, nil)
	seen, away := s.survey(ctx, targets)
	maps.Copy(s.Away, away)
	out := Survey{Cluster: s.Cluster, Facts: []Facts{}, Away: s.Away, At: s.options.Now()}
	for _, h := range s.Cluster.Hosts() {
		if f, ok := seen[h.Name]; ok {
			out.Facts = append(out.Facts, f)
		}
	}
	return out
}

// reachable tries the ports that hosts which are to join will need.
func (s *Session) reachable(ctx context.Context, facts map[string]Facts) (preflight.Reach, error) {
	hosts := map[string]reach.Host{}
	for name, c := range s.conns {
		if s.Away[name] == nil {
			hosts[name] = c
		}
	}
	links := preflight.Links(s.Cluster, facts, func(name string) bool { return hosts[name] != nil })
	return reach.Look(ctx, hosts, links)
}

// hostNames are the hosts' names: what is not among them is a BIG-IP, or the cluster.
func hostNames(c *inventory.Cluster) map[string]bool {
	names := map[string]bool{}
	for _, h := range c.Hosts() {
		names[h.Name] = true
	}
	return names
}

// Preflight is what stands in the way on the hosts that a plan would touch, and of
// the cluster as a whole. A plan that touches no host asks none.
func (s *Session) Preflight(ctx context.Context, p plan.Plan) ([]Finding, error) {
	seen, err := s.surveyTouched(ctx, p)
	if err != nil {
		return nil, err
	}
	in := preflight.Inputs{
		Cluster: s.Cluster, Facts: seen, Others: s.others(seen), Authorities: s.held(), Now: s.options.Now(),
	}
	if in.Reach, err = s.reachable(ctx, seen); err != nil {
		return nil, err
	}
	programs := map[string]string{}
	for name, f := range seen {
		programs[name] = f.Puppet
	}
	in.Puppet = s.managed(ctx, programs, s.writes(p))
	return preflight.Check(in), nil
}

// surveyTouched asks the hosts that a plan would touch what they are, once for all who
// judge them.
func (s *Session) surveyTouched(ctx context.Context, p plan.Plan) (map[string]Facts, error) {
	touched := s.touched(p)
	if s.surveyed != nil && maps.Equal(touched, s.surveyedOf) {
		return s.surveyed, nil
	}
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return !touched[t.Name] })
	seen, away := s.survey(ctx, targets)
	if len(away) > 0 { // they were there a moment ago
		return nil, errors.Join(slices.Collect(maps.Values(away))...)
	}
	s.surveyed, s.surveyedOf = seen, touched
	return seen, nil
}

// others are the hosts that are not judged: as they were seen, and who was not looked at
// as the cluster knows it.
func (s *Session) others(judged map[string]Facts) map[string]preflight.Identity {
	all := map[string]preflight.Identity{}
	for _, h := range s.Cluster.Hosts() {
		if _, asked := judged[h.Name]; asked {
			continue
		}
		all[h.Name] = preflight.Identity{MachineID: s.machine(h.Name)}
		if snap, seen := s.seen[h.Name]; seen {
			all[h.Name] = preflight.Identity{Hostname: snap.Hostname, MachineID: snap.MachineID}
		}
	}
	return all
}

// held are the authorities that the run signs with, once there are any.
func (s *Session) held() map[string][]pki.Description {
	held := map[string][]pki.Description{}
	if s.verdict.Keeper == "" {
		return held
	}
	for _, ca := range pki.CAs() {
		held[s.verdict.Keeper] = append(held[s.verdict.Keeper], s.access.Bundle.Authority(ca.Name).Describe())
	}
	return held
}

// touched are the hosts that a plan does something on: waiting is nothing, and
// nothing needs to be well on a host that is to go.
func (s *Session) touched(p plan.Plan) map[string]bool {
	touched, hosts := map[string]bool{}, hostNames(s.Cluster)
	for _, c := range p.Pending() {
		if name := c.ID.Host(); !c.Condition && hosts[name] && !s.leaves(name) {
			touched[name] = true
		}
	}
	return touched
}

func (s *Session) leaves(name string) bool {
	return slices.ContainsFunc(s.leaving, func(n removal.Node) bool { return n.Former == nil && n.Name == name })
}

// survey asks hosts that were reached what they are, all at once.
func (s *Session) survey(ctx context.Context, targets []ssh.Target) (seen map[string]Facts, away map[string]error) {
	scope := survey.Scope{Commands: ospackage.Commands(ospackage.Of(s.Cluster)), Units: preflight.Units(), Names: preflight.Names(s.Cluster)}
	seen, away = map[string]Facts{}, map[string]error{}
	var mu sync.Mutex
	s.each(targets, func(t ssh.Target) {
		conn := s.conns[t.Name]
		if conn == nil {
			return
		}
		f, err := survey.Probe(ctx, conn, scope, s.options.Now)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			away[t.Name] = err
			return
		}
		seen[t.Name] = f
	})
	return seen, away
}
