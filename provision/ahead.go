package provision

import (
	"context"
	"sync"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// ahead is what a cluster's API says of objects while hosts are still looked at: of a
// thousand hosts the first master is known long before the last.
type ahead struct {
	states map[plan.ID]plan.State // once done; without those that could not be told
	stop   context.CancelFunc
	done   chan struct{}
}

// aheadAtOnce is how many objects are asked for at once: hosts are waiting as well.
const aheadAtOnce = 16

// lookAhead asks a master's API for the objects among what is wanted, by the keys that
// the master holds.
func (s *Session) lookAhead(ctx context.Context, conn *ssh.Conn, keys *trust.Bundle) {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{states: map[plan.ID]plan.State{}, stop: stop, done: make(chan struct{})}
	s.ahead = a
	access := s.wayBy(keys, map[string]*ssh.Conn{conn.Name(): conn})
	access.Open()
	go func() {
		defer close(a.done)
		defer access.Close()
		a.look(ctx, access.Glance(), s.resources)
	}()
}

func (a *ahead) look(ctx context.Context, glance *cluster.Access, wanted []resource.Resource) {
	if _, err := glance.API(ctx); err != nil {
		return // it is asked again, and by way of the others as well
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, aheadAtOnce)
	for _, r := range wanted {
		o, ok := r.(resource.Object)
		if !ok {
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			state, err := o.Observe(ctx, resource.Seen{Cluster: glance})
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			a.states[resource.ObjectID(o.Object)] = state
		})
	}
	all.Wait()
}

// end stops the look and waits for that; nil is none.
func (a *ahead) end() {
	if a != nil {
		a.stop()
		<-a.done
	}
}

// told is what the look ahead told, when it was a look at this cluster; it counts once.
func (s *Session) told() map[plan.ID]plan.State {
	a := s.ahead
	s.ahead = nil
	if a == nil {
		return nil
	}
	defer a.end()
	if s.verdict.Standing != identity.Existing || s.verdict.Keeper != s.Cluster.KubeMasters[0].Name {
		return nil
	}
	<-a.done
	return a.states
}
