package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// explained is a thing that can say why it was not made.
type explained struct{ thing }

func (explained) Evidence(context.Context, resource.World) string { return "who holds the port" }

// What was not made, or did not become as wanted, explains itself; what was cut off
// does not.
func TestEvidenceComesWithTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		failed, lied, well, slow := w.thing("a", "1", 0), w.thing("b", "1", 0), w.thing("c", "1", 0), w.thing("d", "1", time.Hour)
		failed.err, lied.lies = errors.New("no luck"), true
		rs, have := map[plan.ID]resource.Resource{}, map[plan.ID]plan.State{}
		var items []plan.Item
		for _, x := range []thing{failed, lied, well, slow} {
			rs[x.item.ID], have[x.item.ID] = explained{x}, nil
			items = append(items, x.item)
		}
		p, err := plan.Diff("c", items, have)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		e := Engine{Resources: rs, Sink: &sink{}, Now: time.Now, Grace: time.Second,
			Look: func(context.Context, string, facts.Scope) (facts.Snapshot, error) { return facts.Snapshot{}, nil }}
		r := e.Run(ctx, p)
		for i, want := range []string{"no luck\nwho holds the port", "did not become as wanted: absent\nwho holds the port", "", "context canceled"} {
			if o := r.Outcomes[i]; want == "" && o.Err != nil || want != "" && (o.Err == nil || !strings.HasSuffix(o.Err.Error(), want)) {
				t.Errorf("%s: %v", o.Change.ID, o.Err)
			}
		}
		if !errors.Is(r.Outcomes[0].Err, failed.err) {
			t.Error("the error itself is lost")
		}
	})
}
