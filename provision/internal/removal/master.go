package removal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/plan"
)

// members are the IDs of those that go.
func (in Inputs) members() []uint64 {
	var ids []uint64
	for _, n := range in.Nodes {
		if n.Member != nil {
			ids = append(ids, n.Member.ID)
		}
	}
	return ids
}

// snapshot is one of etcd before a master goes, kept by one that stays.
func (in Inputs) snapshot(n Node, needs ...plan.ID) resource.Step {
	going := in.members()
	return voting.Snapshot(n.Name, in.Now, func(m etcd.Member) bool { return slices.Contains(going, m.ID) }, needs...)
}

// leaves has a master's part of the control plane end, once nobody is led there any
// more: its API server first, which says so to who still comes and needs its etcd for
// that, then its etcd's membership, the lead handed on before.
func (in Inputs) leaves(n Node, add func(resource.Resource) plan.ID, needs []plan.ID) []plan.ID {
	if n.Reached {
		needs = append(needs, add(in.retired(n, needs)))
	}
	if n.Member == nil {
		return needs
	}
	r := voting.Removal{
		ID: voting.RemovalID(n.Name, n.Member.ID), Member: *n.Member, What: "there", Heirless: in.members(),
		Serial: "etcd", // as its units are: no etcd starts again while the members change
	}
	if !n.Member.Learner {
		needs = append(needs, add(r.Yielded(n.Name, needs...)))
	}
	return append(needs, add(r.Gone(needs...)))
}

// spareLimit is within what time the others have to do without a master: one look may fall
// into an election, or into a moment in which a busy host does not answer.
const spareLimit = 15 * time.Second

// spared makes sure that the others can do without a master, as they could when the run
// began: its pods have gone since, which may take long, and so may whoever was asked.
func (in Inputs) spared(ctx context.Context, w resource.World, n Node) error {
	var first []uint64 // who is a member no more by then, and this one
	for _, o := range in.Nodes {
		if o.Member != nil {
			first = append(first, o.Member.ID)
		}
		if o.Name == n.Name {
			break
		}
	}
	var others []string
	for _, m := range w.Cluster.Masters {
		if !slices.ContainsFunc(in.Nodes, func(o Node) bool { return o.Name == m.Name }) {
			others = append(others, m.Name)
		}
	}
	var why error // as it was found before the time was over, which cuts a look short
	return voting.Settled(ctx, w, "the other masters to do without "+n.Name, spareLimit, func(ctx context.Context, c *etcd.Client) error {
		s, err := c.Status(ctx)
		if err == nil {
			err = s.RemovingEach(first...)
		}
		if err == nil {
			err = w.Cluster.APISpares(ctx, n.Name, others)
		}
		if err == nil || why == nil || ctx.Err() == nil {
			why = err
		}
		return why
	})
}

// sparedAfter has a step end with the question whether the others can do without a master.
func (in Inputs) sparedAfter(s resource.Step, n Node) resource.Step {
	perform := s.Perform
	s.Perform = func(ctx context.Context, w resource.World, c plan.Change) error {
		if err := perform(ctx, w, c); err != nil {
			return err
		}
		return in.spared(ctx, w, n)
	}
	return s
}

// retireLimit is how long API servers may take to stop: they serve on for a while, and
// requests in flight may take a minute.
const retireLimit = 3 * time.Minute

// retired stops what a master serves the cluster with, but for its etcd. What is not
// drover's is left alone.
func (in Inputs) retired(n Node, needs []plan.ID) resource.Step {
	return resource.Step{
		ID: plan.NewID(n.Name, "control-plane", "stopped"), Needs: slices.Clone(needs), Want: plan.State{"runs": "no"},
		Look: func(ctx context.Context, _ resource.Seen) (plan.State, error) {
			h := in.Host(n.Name)
			if h == nil {
				return nil, fmt.Errorf("%s: no connection to it", n.Name)
			}
			res, err := h.Probe(ctx, retire("look"))
			if err != nil {
				return nil, err
			}
			running, whole := strings.CutSuffix(strings.TrimSpace(string(res.Stdout)), "end")
			if res.Exit != 0 || !whole {
				return nil, fmt.Errorf("%s: looking whether its API server runs: exit code %d: %s", n.Name, res.Exit, strings.TrimSpace(string(res.Stderr)))
			}
			if words := strings.Fields(running); len(words) > 0 {
				return plan.State{"runs": strings.Join(words, ", ")}, nil
			}
			return plan.State{"runs": "no"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			if err := in.spared(ctx, w, n); err != nil {
				return err
			}
			h, err := w.Host(n.Name)
			if err != nil {
				return err
			}
			c := retire("stop")
			c.Limit = retireLimit
			_, err = h.Run(ctx, c)
			return err
		},
	}
}

// retire is the command that does it, or looks whether there is anything to do.
func retire(verb string) host.Cmd {
	units := []string{manifests.APIServerUnit, manifests.ControllerManagerUnit, manifests.SchedulerUnit}
	return host.Cmd{Argv: append([]string{"sh", "-c", retireScript, "drover-retire", verb, resource.StartedDir}, units...)}
}

const retireScript = `: drover-retire
verb=$1 started=$2
shift 2
running=
for u; do
	[ -e "$started/$u.drover" ] || continue
	case $(systemctl is-active "$u") in inactive | failed | unknown) ;; *) running="$running $u" ;; esac
done
if [ "$verb" = look ]; then
	echo "$running end"
elif [ -n "$running" ]; then
	systemctl stop $running
fi`
