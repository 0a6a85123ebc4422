package provision

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/internal/preflight"
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
}

// TakeSurvey asks every host of the inventory what it is. It only looks, and needs
// neither a cluster nor anything to install one from.
func TakeSurvey(ctx context.Context, c *inventory.Cluster, o Options) Survey {
	s := &Session{Cluster: c, options: o.filled()}
	defer s.Close()
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return !isHost(c, t.Name) })
	s.connect(ctx, targets)
	seen, away := s.survey(ctx, targets)
	maps.Copy(s.Away, away)
	out := Survey{Cluster: c, Facts: []Facts{}, Away: s.Away}
	for _, h := range c.Hosts() {
		if f, ok := seen[h.Name]; ok {
			out.Facts = append(out.Facts, f)
		}
	}
	return out
}

func isHost(c *inventory.Cluster, name string) bool {
	return slices.ContainsFunc(c.Hosts(), func(h inventory.Host) bool { return h.Name == name })
}

// Preflight is what stands in the way on the hosts that were asked.
func (v Survey) Preflight() []Finding {
	in := preflight.Inputs{Cluster: v.Cluster, Facts: map[string]Facts{}}
	for _, f := range v.Facts {
		in.Facts[f.Host] = f
	}
	return preflight.Check(in)
}

// Preflight is what stands in the way on the hosts that a plan would touch. A plan
// that touches none asks none.
func (s *Session) Preflight(ctx context.Context, p plan.Plan) ([]Finding, error) {
	touched := s.touched(p)
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return !touched[t.Name] })
	seen, away := s.survey(ctx, targets)
	if len(away) > 0 { // they were there a moment ago
		return nil, errors.Join(slices.Collect(maps.Values(away))...)
	}
	in := preflight.Inputs{Cluster: s.Cluster, Facts: seen, Others: map[string]preflight.Identity{}}
	for name, snap := range s.seen {
		if _, asked := seen[name]; !asked {
			in.Others[name] = preflight.Identity{Hostname: snap.Hostname, MachineID: snap.MachineID}
		}
	}
	return preflight.Check(in), nil
}

// touched are the hosts that a plan does something on: waiting is nothing.
func (s *Session) touched(p plan.Plan) map[string]bool {
	touched := map[string]bool{}
	for _, c := range p.Pending() {
		if name := c.ID.Host(); !c.Condition && isHost(s.Cluster, name) {
			touched[name] = true
		}
	}
	return touched
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
