package provision

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// LockBusyError says that another drover holds the fleet's lock, LockLostError why
// a run that held it was stopped, LockTooFewError that too few masters answer.
type (
	LockBusyError   = lock.BusyError
	LockLostError   = lock.LostError
	LockTooFewError = lock.TooFewError
	// LockEntry is a claim of the lock as a master has it.
	LockEntry = lock.Entry
)

// LockRequest is how the lock is to be taken.
type LockRequest struct {
	Reason string // the command
	// Wait is how long another may hold it before that is an error.
	Wait time.Duration
	// Waiting is told once who is waited for; may be nil.
	Waiting func(*LockBusyError)
	// Lease is how long it is good without being renewed; 0 is two minutes.
	Lease time.Duration

	seize bool // from whoever holds it
}

// Lock is the fleet's lock while a session holds it. Only with it is anything
// changed.
type Lock struct {
	// Fresh reports that nobody can have changed anything since the session looked.
	Fresh bool

	session *Session
	held    *lock.Held
	run     history.Run
	begun   <-chan struct{} // closed when the masters were told; nil until it begins
}

var errNotLocked = errors.New("nothing is changed without the fleet's lock, and this run has not taken it")

// Moved reports whether somebody else holds the fleet's lock, or has held it since the
// look, so that the look may have come upon half of a change. It changes nothing.
func (s *Session) Moved(ctx context.Context) bool {
	had, now := s.had(), s.fleet(0).Show(ctx)
	return now.Held || now.Entry.Epoch > had.Epoch || had.Held && now.Entry.Released
}

// had is who had the lock at the look. When that was this run, nobody else had.
func (s *Session) had() lock.Seen {
	seen := lock.See(s.claims()...)
	seen.Held = seen.Held && (s.holding == nil || s.holding.Epoch != seen.Epoch)
	return seen
}

// Lock takes the fleet's lock, or says who holds it. From then on the session's
// changes are under it; it has to be released.
func (s *Session) Lock(ctx context.Context, r LockRequest) (*Lock, error) {
	return s.lock(ctx, r, s.had())
}

// claims are the texts that the look brought of the masters' claims.
func (s *Session) claims() (texts []map[string]string) {
	for _, m := range s.Cluster.KubeMasters {
		texts = append(texts, s.seen[m.Name].Texts)
	}
	for _, n := range s.leaving {
		if n.Master && !n.Named {
			texts = append(texts, s.seen[n.Name].Texts)
		}
	}
	return texts
}

func (s *Session) lock(ctx context.Context, r LockRequest, seen lock.Seen) (*Lock, error) {
	me := lock.Me(newRunID(), r.Reason)
	me.Since, me.Inventory = s.options.Now(), digestOf(s.Cluster)
	held, err := s.fleet(r.Lease).Take(ctx, lock.Request{Claim: me, Seen: seen, Wait: r.Wait, Break: r.seize, Waiting: r.Waiting})
	if err != nil {
		return nil, err
	}
	s.holding = held
	s.fenceAll()
	return &Lock{Fresh: held.Fresh, session: s, held: held, run: history.Run{
		SchemaVersion: 1, Run: me.Run, Epoch: held.Epoch, Owner: me.Owner, Command: r.Reason,
		Inventory: me.Inventory, Began: me.Since, Outcome: history.Begun,
	}}, nil
}

// begin has the masters remember that the run begins with what it is to do. One that
// comes to nothing under the lock is not remembered: whoever reads what runs were at
// would take what it was to do for done, or for ended.
func (l *Lock) begin() {
	l.run.Gone, l.run.Leaving = l.session.toGo(), l.session.departing()
	told := l.session.those(l.held.Masters())
	begun := make(chan struct{})
	l.begun = begun
	go func() { // Release waits for it
		defer close(begun)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held.Context()), lockLimit)
		defer cancel()
		// What a master does not remember keeps nothing from being done.
		_ = eachOf(told, func(c *ssh.Conn) error { return history.Append(ctx, c, l.run) })
	}()
}

// newRunID names a run.
func newRunID() string {
	id := make([]byte, 8)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// fleet is where the lock is. A master that was reached decides, and so do those
// that are masters now, whatever the inventory says.
func (s *Session) fleet(lease time.Duration) lock.Fleet {
	f := lock.Fleet{Lease: lease, Electorate: lock.Electorate{Actual: s.masters}}
	for _, m := range s.Cluster.KubeMasters {
		f.Declared = append(f.Declared, m.Name)
		if conn := s.conns[m.Name]; conn != nil && s.Away[m.Name] == nil {
			f.Masters = append(f.Masters, conn)
		} else if why := s.Away[m.Name]; why != nil {
			f.Why = append(f.Why, why)
		}
	}
	for _, n := range s.leaving { // a master decides for as long as it is one
		if n.Master && !n.Named && n.Reached {
			f.Masters = append(f.Masters, s.conns[n.Name])
		}
	}
	return f
}

// noted are the masters that say they are members: who decides where etcd cannot
// be asked.
func (s *Session) noted() []string {
	var names []string
	for _, m := range s.Cluster.KubeMasters {
		if _, member := s.seen[m.Name].Texts[membership.Path]; member {
			names = append(names, m.Name)
		}
	}
	return names
}

// fence puts a connection under the lock.
func (s *Session) fence(c *ssh.Conn) {
	held := s.holding
	c.Fence(ssh.Fence{
		Epoch: held.Epoch, Check: held.Check, Bare: isBigIP(s.Cluster, c.Name()),
		Outrun: func(err error) { held.Lost(err.Error()) },
	})
}

// fenceAll puts all connections under it.
func (s *Session) fenceAll() {
	for _, c := range s.conns {
		s.fence(c)
	}
}

// permit is asked before anything is written to the API or to etcd.
func (s *Session) permit(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s.unlocked {
		return ctx, func() {}, nil
	}
	if s.holding == nil {
		return ctx, func() {}, errNotLocked
	}
	return s.holding.Permit(ctx)
}

// Context ends when the run is stopped, and when the lock is lost.
func (l *Lock) Context() context.Context { return l.held.Context() }

// Masters are those that have the lock.
func (l *Lock) Masters() []string { return l.held.Masters() }

// Release gives the lock back, and has the masters remember how a run ended that
// began.
func (l *Lock) Release(outcome Outcome) {
	l.release(outcome, l.session.wiped)
}

// release does it where a reset has left something to give back: from hosts that
// were wiped the last traces go as well, of the lock itself.
func (l *Lock) release(outcome Outcome, wiped []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held.Context()), lockLimit)
	defer cancel()
	if l.begun != nil { // else it came to nothing
		<-l.begun
		l.remember(ctx, outcome, wiped)
	}
	l.held.Settle()
	if l.held.Check() == nil { // else what is there may be another's
		_ = eachOf(l.session.those(wiped), func(c *ssh.Conn) error { return reset.Forget(ctx, c) })
	}
	l.held.Release(ctx)
}

// remember has the masters that are left remember how the run ended.
func (l *Lock) remember(ctx context.Context, outcome Outcome, wiped []string) {
	r := l.run
	r.Ended, r.Outcome, r.Changes = l.session.options.Now(), outcome.Kind, outcome.Changes
	if r.Outcome == "" {
		r.Outcome = history.Failed
	}
	n := min(len(outcome.IDs), history.MostIDs)
	r.IDs, r.More = outcome.IDs[:n], len(outcome.IDs)-n
	r.Gone = l.session.went(outcome, wiped)
	left := slices.DeleteFunc(l.held.Masters(), func(m string) bool { return slices.Contains(wiped, m) })
	_ = eachOf(l.session.those(left), func(c *ssh.Conn) error { return history.Append(ctx, c, r) })
}

// lockLimit bounds what is done when a run is over.
const lockLimit = 20 * time.Second

// those are the connections to hosts, as far as there are any.
func (s *Session) those(names []string) []*ssh.Conn {
	var conns []*ssh.Conn
	for _, name := range names {
		if c := s.conns[name]; c != nil {
			conns = append(conns, c)
		}
	}
	return conns
}

// eachOf does the same over connections at once.
func eachOf(conns []*ssh.Conn, do func(*ssh.Conn) error) error {
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { errs[i] = do(c) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Again looks at everything anew, over the connections there are: for a run that
// has the lock, and did not have it when it looked.
func (s *Session) Again(ctx context.Context) error {
	if s.access != nil {
		s.access.Close()
	}
	again := begin(s.Cluster, s.options)
	again.conns, again.at, again.holding, again.calico = s.conns, s.at, s.holding, s.calico
	again.agents = s.agents
	*s = *again
	if err := s.open(ctx); err != nil {
		return err
	}
	if s.holding != nil {
		s.fenceAll() // some may be new
	}
	return nil
}

// LockState is the fleet's lock as the masters have it.
type LockState struct {
	Cluster string
	lock.State
	// Away are masters that could not be asked, and why.
	Away map[string]error
}

// Claimed reports whether any claim is good, be it on too few masters.
func (s LockState) Claimed() bool {
	for _, e := range s.Masters {
		if !e.Free() {
			return true
		}
	}
	return false
}

// reachMasters connects to the masters, or to every host.
func reachMasters(ctx context.Context, c *inventory.Cluster, o Options, all bool) *Session {
	s := begin(c, o)
	masters := map[string]bool{}
	for _, m := range c.KubeMasters {
		masters[m.Name] = true
	}
	targets := slices.DeleteFunc(s.targets(), func(t ssh.Target) bool { return !masters[t.Name] && (!all || !hostNames(c)[t.Name]) })
	s.reach(ctx, targets, nil, nil)
	return s
}

// ShowLock asks the masters who holds the fleet's lock. It changes nothing, and
// needs no cluster.
func ShowLock(ctx context.Context, c *inventory.Cluster, o Options) LockState {
	s := reachMasters(ctx, c, o, false)
	defer s.Close()
	state := LockState{Cluster: c.Name, State: s.fleet(0).Show(ctx), Away: maps.Clone(s.Away)}
	maps.Copy(state.Away, state.Silent)
	return state
}

// BreakLock takes the lock from whoever holds it, if that is who was seen, has every
// host refuse that run from now on, and gives it back. It returns the hosts that
// could not be told.
func BreakLock(ctx context.Context, c *inventory.Cluster, o Options, seen LockState) (untold map[string]error, err error) {
	s := reachMasters(ctx, c, o, true)
	defer s.Close()
	top := seen.Entry.Epoch
	for _, e := range seen.Masters {
		top = max(top, e.Epoch)
	}
	l, err := s.lock(ctx, LockRequest{Reason: "drover lock break", seize: true}, lock.Seen{Epoch: top})
	if err != nil {
		return nil, err
	}
	l.begin()
	untold = maps.Clone(s.Away)
	for _, name := range slices.Sorted(maps.Keys(s.conns)) {
		if err := s.conns[name].Outrun(l.Context()); err != nil {
			untold[name] = err
		}
	}
	l.Release(Outcome{Kind: history.Done})
	return untold, nil
}
