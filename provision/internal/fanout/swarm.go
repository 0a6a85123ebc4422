package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Origin is where releases come from that no host has yet.
const Origin = ""

const (
	// atHolder is how many a host serves at once. Two, for the round that one takes
	// longer then serves twice as many.
	atHolder = 2
	// atOrigin is how many the origin does: what it has sent whole can spread while the
	// next is on its way, and one connection alone may not fill the line.
	atOrigin = 2
	// patience is how many hosts one asks in vain before it turns to the origin.
	patience = 3
	// faulty is after how many faults, none of them a wrong copy, a host that has
	// served nobody is asked no more.
	faulty = 2
)

// Fault is a failure of the host that was to hand a release on, and not of the one
// that was to get it.
type Fault struct {
	// Corrupt says that what it handed on is not the release.
	Corrupt bool
	Err     error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// Grant is whom a host is to have a release from.
type Grant struct {
	From string // a host, or Origin
	// Keep says that it is to hand it on, because others still want it.
	Keep bool
}

// Swarm is who holds which release, and who wants it. A release is known by its
// digest.
type Swarm struct {
	// LeftOut is told of each host that is not asked any more, and why; may be nil.
	LeftOut func(host string, why error)

	mu     sync.Mutex
	items  map[string]*item
	giving map[string]int  // transfers under way, by who gives
	seeds  map[string]int  // transfers from the origin, by who gets
	served map[string]bool // who has handed on anything
	faults map[string]int
	out    map[string]bool
}

// item is one release.
type item struct {
	holders []string  // in the order in which they came by it
	waiting []*seeker // likewise, those first that were let down
	coming  int       // transfers under way: each may make a holder
	want    int       // hosts that have it neither now nor on its way
}

// seeker is a host that waits for a release.
type seeker struct {
	host  string
	tried map[string]bool
	grant chan Grant
}

// NewSwarm makes a swarm in which so many hosts want each release.
func NewSwarm(wanted map[string]int) *Swarm {
	s := &Swarm{
		items: map[string]*item{}, giving: map[string]int{}, seeds: map[string]int{},
		served: map[string]bool{}, faults: map[string]int{}, out: map[string]bool{},
	}
	for release, n := range wanted {
		s.items[release] = &item{want: n}
	}
	return s
}

// Get has a host fetch a release from whoever has it: from several, one after the
// other, as long as the fault is theirs, and at last from the origin. fetch tells
// whether the host can hand it on now.
func (s *Swarm) Get(ctx context.Context, host, release string, fetch func(context.Context, Grant) (holds bool, err error)) error {
	tried := map[string]bool{}
	for {
		g, err := s.ask(ctx, host, release, tried)
		if err != nil {
			return err
		}
		holds, err := fetch(ctx, g)
		s.settle(host, release, g, holds, err)
		if err == nil || g.From == Origin || !errors.As(err, new(*Fault)) {
			return err
		}
		tried[g.From] = true
	}
}

// Over reports whether nobody wants anything any more.
func (s *Swarm) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		if it.want > 0 || it.coming > 0 {
			return false
		}
	}
	return true
}

// ask waits until somebody has a place. It needs no deadline of its own: those who
// have the places lose them by their own.
func (s *Swarm) ask(ctx context.Context, host, release string, tried map[string]bool) (Grant, error) {
	w := &seeker{host: host, tried: tried, grant: make(chan Grant, 1)}
	s.mu.Lock()
	it := s.items[release]
	if it == nil { // nobody was expected
		it = &item{}
		s.items[release] = it
	}
	it.want = max(it.want, len(it.waiting)+1)
	if len(tried) > 0 { // it has waited before
		it.waiting = slices.Insert(it.waiting, 0, w)
	} else {
		it.waiting = append(it.waiting, w)
	}
	s.seek(it, w)
	s.fromOrigin()
	s.mu.Unlock()
	select {
	case g := <-w.grant:
		return g, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(it.waiting, w)
	if i >= 0 {
		it.waiting = slices.Delete(it.waiting, i, i+1)
		it.want--
	}
	s.mu.Unlock()
	err := fmt.Errorf("%s: waiting for a host that has %s: %w", host, release, context.Cause(ctx))
	if i < 0 { // it was given one at the same moment
		s.settle(host, release, <-w.grant, false, err)
	}
	return Grant{}, err
}

// settle notes how a transfer ended, and gives the places it leaves to others.
func (s *Swarm) settle(host, release string, g Grant, holds bool, err error) {
	s.mu.Lock()
	it := s.items[release]
	it.coming--
	s.giving[g.From]--
	var left error
	var fault *Fault
	switch {
	case g.From == Origin:
		s.seeds[host]--
	case err == nil:
		s.served[g.From] = true
	case errors.As(err, &fault):
		it.want++ // it comes again
		s.faults[g.From]++
		if !s.out[g.From] && (fault.Corrupt || s.faults[g.From] >= faulty && !s.served[g.From]) {
			s.out[g.From], left = true, err
		}
	}
	if err == nil && holds {
		it.holders = append(it.holders, host)
		s.offer(host)
	}
	if g.From != Origin {
		s.offer(g.From)
	}
	s.fromOrigin()
	s.mu.Unlock()
	if left != nil && s.LeftOut != nil {
		s.LeftOut(g.From, left)
	}
}

// can reports whether a holder may serve a seeker, now or later.
func (s *Swarm) can(holder string, w *seeker) bool {
	return holder != w.host && !s.out[holder] && !w.tried[holder]
}

// seek looks for a holder with a place, for one that has come. The newest are the
// likeliest to have one.
func (s *Swarm) seek(it *item, w *seeker) {
	for _, h := range slices.Backward(it.holders) {
		if s.giving[h] < atHolder && s.can(h, w) {
			s.give(it, w, h)
			return
		}
	}
}

// offer gives a holder's free places to those who wait, for what most wait for first.
func (s *Swarm) offer(holder string) {
	for s.giving[holder] < atHolder {
		var most *item
		var first *seeker
		for _, it := range s.items {
			if most != nil && len(it.waiting) <= len(most.waiting) || !slices.Contains(it.holders, holder) {
				continue
			}
			if i := slices.IndexFunc(it.waiting, func(w *seeker) bool { return s.can(holder, w) }); i >= 0 {
				most, first = it, it.waiting[i]
			}
		}
		if most == nil {
			return
		}
		s.give(most, first, holder)
	}
}

// fromOrigin gives the origin's free places to those whom nobody else can help.
func (s *Swarm) fromOrigin() {
	for _, it := range s.items {
		for _, w := range slices.Clone(it.waiting) {
			if s.giving[Origin] >= atOrigin {
				return
			}
			if it.coming > 0 && len(w.tried) == 0 {
				break // nobody behind it has been let down either
			}
			if s.needsOrigin(it, w) {
				s.give(it, w, Origin)
			}
		}
	}
}

// needsOrigin reports whether a release has to come from the origin: nobody is left
// to have it from, and it is on its way to nobody. Who is being sent something
// already leaves the next to others, so that there are soon more who can hand on.
func (s *Swarm) needsOrigin(it *item, w *seeker) bool {
	if len(w.tried) >= patience {
		return true
	}
	if it.coming > 0 || s.seeds[w.host] > 0 && len(it.waiting) > 1 {
		return false
	}
	return !slices.ContainsFunc(it.holders, func(h string) bool { return s.can(h, w) })
}

func (s *Swarm) give(it *item, w *seeker, from string) {
	it.waiting = slices.DeleteFunc(it.waiting, func(o *seeker) bool { return o == w })
	it.coming++
	it.want--
	s.giving[from]++
	if from == Origin {
		s.seeds[w.host]++
	}
	w.grant <- Grant{From: from, Keep: it.want > 0}
}
