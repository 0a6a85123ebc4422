package provision

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/plan"
)

// What was asked ahead counts for the cluster whose keys the first master keeps, and
// for one plan; whatever else, the look has ended.
func TestAheadCountsOnce(t *testing.T) {
	cluster := &inventory.Cluster{KubeMasters: []inventory.Host{{Name: "m1"}, {Name: "m2"}}}
	id := plan.NewID(plan.ClusterHost, "object", "Namespace default")
	first := []resource.Resource{resource.Step{ID: id}}
	for name, c := range map[string]struct {
		verdict identity.Verdict
		wanted  []resource.Resource
		want    int
	}{
		"the first master's":          {identity.Verdict{Standing: identity.Existing, Keeper: "m1"}, first, 1},
		"another's":                   {identity.Verdict{Standing: identity.Existing, Keeper: "m2"}, first, 0},
		"one yet to be begun":         {identity.Verdict{Standing: identity.New, Keeper: "m1"}, first, 0},
		"of which more is wanted now": {identity.Verdict{Standing: identity.Existing, Keeper: "m1"}, slices.Clone(first), 0},
	} {
		ctx, stop := context.WithCancel(t.Context())
		a := &ahead{wanted: first, states: map[plan.ID]plan.State{id: {"fields": "as wanted"}}, stop: stop, done: make(chan struct{})}
		close(a.done)
		s := &Session{Cluster: cluster, verdict: c.verdict, resources: c.wanted, ahead: a}
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

// In a crowd the others are looked at when the first master was, and do not wait long
// for one that cannot be; few hosts wait for nobody.
func TestFirstMasterFirst(t *testing.T) {
	for name, c := range map[string]struct {
		hosts int
		led   time.Duration // when the first master was looked at
		want  time.Duration
	}{
		"a crowd":                      {crowd + 1, 10 * time.Millisecond, 10 * time.Millisecond},
		"a crowd without first master": {crowd + 1, time.Hour, leadTime},
		"few":                          {crowd, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Session{Cluster: &inventory.Cluster{KubeMasters: []inventory.Host{{Name: "m1"}}}}
				var targets []ssh.Target
				for i := range c.hosts {
					targets = append(targets, ssh.Target{Name: fmt.Sprintf("m%d", i+1)})
				}
				wanted := make(chan struct{})
				close(wanted)
				start, known := time.Now(), s.firstMasterFirst(t.Context(), targets, wanted)
				timer := time.AfterFunc(c.led, func() { close(s.led) })
				defer timer.Stop()
				<-known("m1")
				first := time.Since(start)
				<-known("m2")
				if others := time.Since(start); first != 0 || others != c.want {
					t.Errorf("the first after %s, the others after %s, want 0s and %s", first, others, c.want)
				}
			})
		})
	}
}
