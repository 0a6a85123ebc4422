package desired

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// byHand waits for a BIG-IP that drover neither configures nor reads: what can be
// told of it is which hosts see their session with it. Nothing needs that, so that
// whoever is late with it holds up nothing else.
func (b *builder) byHand(f5 inventory.BigIP) {
	for _, h := range b.hosts(b.Cluster.Hosts()) {
		b.add(b.session(h, f5, []plan.ID{resource.GateID(gateWorkloads)}))
	}
}

func sessionID(h inventory.Host, f5 inventory.BigIP) plan.ID {
	return plan.NewID(h.Name, "bgp", f5.Name)
}

// session is a host's session with a BIG-IP that is managed by hand. Its deadline
// begins when all of the host's side is there, Calico included.
func (b *builder) session(h inventory.Host, f5 inventory.BigIP, needs []plan.ID) resource.Step {
	what := "session with " + f5.Name
	return resource.Step{
		ID: sessionID(h, f5), Needs: needs, Passive: true, Condition: true, See: facts.Scope{BIRD: true},
		Want: plan.State{what: string(bgp.Established)},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			text := seen.Hosts[h.Name].BIRD
			if text == "" { // none runs, as on a bare machine
				return nil, nil
			}
			state, err := sessionState(text, f5.PeerAddress)
			if err != nil {
				state = "not known: " + err.Error()
			}
			return plan.State{what: state}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			shell, err := w.Host(h.Name)
			if err != nil {
				return err
			}
			err = wait.For(ctx, wait.Condition{
				What:  fmt.Sprintf("%s to see its session with %s", h.Name, f5.Name),
				Limit: f5.Wait.Duration(), Every: 3 * time.Second,
				Check: func(ctx context.Context) error { return established(ctx, shell, f5) },
			}, seldom(30*time.Second, w.Waiting))
			if late := (*wait.TimeoutError)(nil); errors.As(err, &late) {
				p := bgp.New(b.Cluster, f5)
				return fmt.Errorf("%w; %s is managed by hand: `drover bgp render %s` prints what to enter there, for this host \"neighbor %s peer-group %s\"; then apply again",
					err, f5.Name, f5.Name, h.Address, p.Group())
			}
			return err
		},
	}
}

// established is nil when a host's BIRD has its session with a BIG-IP.
func established(ctx context.Context, h host.Reader, f5 inventory.BigIP) error {
	text, err := facts.BIRD(ctx, h)
	if err != nil {
		return err
	}
	state, err := sessionState(text, f5.PeerAddress)
	if err == nil && state != string(bgp.Established) {
		err = fmt.Errorf("the session with %s is %s", f5.Name, state)
	}
	return err
}

// sessionState is a session as BIRD tells it, with why it is not up.
func sessionState(text string, peer netip.Addr) (string, error) {
	sessions, err := bgp.ParseBIRD(text)
	if err != nil {
		return "", err
	}
	for _, s := range sessions {
		switch {
		case s.Peer != peer:
		case s.Reason == "" || s.Up():
			return string(s.State), nil
		default:
			return fmt.Sprintf("%s (%s)", s.State, s.Reason), nil
		}
	}
	return "none", nil
}

// seldom tells no more often than that. BGP tries again every few seconds, through
// all of its states; who waits for an operator need not tell each.
func seldom(every time.Duration, tell func(string)) func(string) {
	var last time.Time
	return func(text string) {
		if now := time.Now(); last.IsZero() || now.Sub(last) >= every {
			last = now
			tell(text)
		}
	}
}

// ByHand is each BIG-IP that is managed by hand, by the sessions in a plan and by
// how a run of it ended, if there was one.
func ByHand(c *inventory.Cluster, p plan.Plan, run []report.Outcome) []plan.ByHand {
	up := map[plan.ID]bool{}
	for _, change := range p.Changes {
		up[change.ID] = change.Action == plan.NoOp
	}
	for _, o := range run {
		up[o.Change.ID] = o.Kind == report.Done
	}
	var out []plan.ByHand
	for _, f5 := range c.BigIPs {
		if f5.Manage != inventory.ManageManual {
			continue
		}
		one := plan.ByHand{BigIP: f5.Name, Up: []string{}, Missing: []string{}, WaitSeconds: int64(f5.Wait)}
		for _, h := range c.Hosts() {
			switch yes, asked := up[sessionID(h, f5)]; {
			case yes:
				one.Up = append(one.Up, h.Name)
			case asked:
				one.Missing = append(one.Missing, h.Name)
			}
		}
		one.Enter = append([]string{}, bgp.ByHand(bgp.New(c, f5), one.Up, one.Missing)...)
		out = append(out, one)
	}
	return out
}
