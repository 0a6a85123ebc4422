package desired

import (
	"context"
	"fmt"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/plan"
)

// removeStray takes a learner away that never started, unless it has meanwhile.
func removeStray(m etcd.Member, needs ...plan.ID) resource.Step {
	at := "nowhere"
	for _, peer := range m.PeerURLs {
		if a, err := addressOf(peer); err == nil {
			at = a.String()
		}
	}
	step := voting.Removal{ID: voting.RemovalID(at, m.ID), Member: m, What: "a learner that never started"}.Gone(needs...)
	perform := step.Perform
	step.Perform = func(ctx context.Context, w resource.World, c plan.Change) error {
		now, err := voting.Member(ctx, resource.Seen{Cluster: w.Cluster}, func(o etcd.Member) bool { return o.ID == m.ID })
		if now == nil || err != nil {
			return err
		}
		if now.Name != "" || !now.Learner {
			return fmt.Errorf("etcd's member %s has started meanwhile, so it is not taken away", *now)
		}
		return perform(ctx, w, c)
	}
	return step
}
