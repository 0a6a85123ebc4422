package provision

import (
	"context"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/plan"
)

// What was asked ahead counts for the cluster whose keys the first master keeps, and
// for one plan; whatever else, the look has ended.
func TestAheadCountsOnce(t *testing.T) {
	cluster := &inventory.Cluster{KubeMasters: []inventory.Host{{Name: "m1"}, {Name: "m2"}}}
	id := plan.NewID(plan.ClusterHost, "object", "Namespace default")
	for name, c := range map[string]struct {
		verdict identity.Verdict
		want    int
	}{
		"the first master's":  {identity.Verdict{Standing: identity.Existing, Keeper: "m1"}, 1},
		"another's":           {identity.Verdict{Standing: identity.Existing, Keeper: "m2"}, 0},
		"one yet to be begun": {identity.Verdict{Standing: identity.New, Keeper: "m1"}, 0},
	} {
		ctx, stop := context.WithCancel(t.Context())
		a := &ahead{states: map[plan.ID]plan.State{id: {"fields": "as wanted"}}, stop: stop, done: make(chan struct{})}
		close(a.done)
		s := &Session{Cluster: cluster, verdict: c.verdict, ahead: a}
		if told := s.told(); len(told) != c.want {
			t.Errorf("%s: %v", name, told)
		}
		if ctx.Err() == nil {
			t.Errorf("%s: the look goes on", name)
		}
		if again := s.told(); again != nil {
			t.Errorf("%s: and again %v", name, again)
		}
	}
}
