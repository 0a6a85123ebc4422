package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/engine"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Lock takes the fleet's lock for the reset. When others may have changed something
// since it was looked up, it is looked up anew, and has to be the same, and still allowed.
func (r *Reset) Lock(ctx context.Context, req LockRequest) (*Lock, error) {
	l, err := r.session.Lock(ctx, req)
	if err != nil || l.Fresh {
		return l, err
	}
	was := r.shown()
	again := Reset{Cluster: r.Cluster, session: r.session, names: r.names}
	if err = again.plan(l.Context()); err == nil {
		r.letGo()
		*r = again
		r.session.fenceAll() // some may be new
		if is := r.shown(); is != was {
			err = errors.New("nothing was removed: another drover changed what there is to remove in the meantime: run it again and look at it")
		} else {
			err = r.quorumRefusal(l.Context())
		}
	}
	if err != nil {
		l.Release(Outcome{Kind: history.Failed})
		return nil, err
	}
	return l, nil
}

// shown is what the operator was shown, as text.
func (r *Reset) shown() string {
	var b strings.Builder
	for _, h := range r.Hosts {
		kinds := maps.Clone(h.Traces)
		delete(kinds, "lock") // this run's own among them
		fmt.Fprintln(&b, h.Name, kinds)
	}
	fmt.Fprintln(&b, r.BigIPs, r.Workloads, r.WorkloadsUnknown != "", len(r.Away))
	return b.String()
}

// Run takes everything away, under the lock, and gives that back: the nodes first, so that while any is left there is
// an API to ask about it, and the BIG-IPs' side last. When ctx ends nothing more is
// begun, and what is under way has the grace to end.
func (r *Reset) Run(l *Lock, sink report.Sink) error {
	l.begin()
	r.neighbours = r.session.neighbours(l.run.Run, l.run.Command, sink)
	err := r.carryOut(l.Context(), sink)
	l.release(OutcomeOfError(l.Context(), err), r.wiped)
	return err
}

// RunUnlocked is Run where nobody can have the lock, because too few masters are
// left.
func (r *Reset) RunUnlocked(ctx context.Context, sink report.Sink) error {
	r.session.unlocked = true
	r.neighbours = r.session.neighbours(newRunID(), "drover reset", sink)
	err := r.carryOut(ctx, sink)
	return errors.Join(err, eachOf(r.session.those(r.wiped), func(c *ssh.Conn) error { return reset.Forget(context.WithoutCancel(ctx), c) }))
}

func (r *Reset) carryOut(ctx context.Context, sink report.Sink) error {
	work, release := engine.Finish(ctx, r.session.options.Grace)
	defer release()
	under := &underWay{names: map[string]bool{}}
	defer engine.OnStop(ctx, func() {
		e := engine.Stopping(ctx, under.list(), r.session.options.Grace)
		e.Time = r.session.options.Now()
		sink.Event(e)
	})()
	return r.run(ctx, work, under, sink)
}

// underWay are the hosts that something is done to at the moment.
type underWay struct {
	mu    sync.Mutex
	names map[string]bool
}

func (u *underWay) list() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.names))
}

// do does something to a host, unless the run was stopped.
func (u *underWay) do(ctx context.Context, name string, what func() error) error {
	u.mu.Lock()
	if ctx.Err() != nil {
		u.mu.Unlock()
		return &LeftError{Host: name, Err: context.Cause(ctx)}
	}
	u.names[name] = true
	u.mu.Unlock()
	err := what()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.names, name)
	return err
}

// LeftError is a host that a stopped reset had not begun with.
type LeftError struct {
	Host string
	Err  error
}

func (e *LeftError) Error() string { return e.Host + ": left as it was: " + e.Err.Error() }
func (e *LeftError) Unwrap() error { return e.Err }

func (r *Reset) run(ctx, work context.Context, under *underWay, sink report.Sink) error {
	var errs []error
	for _, role := range []inventory.Role{inventory.RoleNode, inventory.RoleMaster} {
		hosts := slices.DeleteFunc(slices.Clone(r.Hosts), func(h ResetHost) bool { return h.Role != role || h.Bare() })
		groups := [][]ResetHost{hosts}
		if !r.Whole && role == inventory.RoleMaster {
			groups = slices.Collect(slices.Chunk(hosts, 1)) // etcd changes by one member at a time
		}
		for _, group := range groups {
			errs = append(errs, r.all(group, func(_ int, h ResetHost) error {
				return under.do(ctx, h.Name, func() error { return r.told(h.Name, sink, func() error { return r.wipe(work, h, sink) }) })
			})...)
			// Masters stay while a node could not be reset. Who stopped it is told of
			// all that was left.
			if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	for _, b := range r.BigIPs {
		if len(b.Lines) > 0 {
			errs = append(errs, under.do(ctx, b.Name, func() error {
				return r.told(b.Name, sink, func() error { return r.removeNeighbors(work, b, sink) })
			}))
		}
	}
	return errors.Join(errs...)
}

// told tells of what is done to a host, and how it ended.
func (r *Reset) told(name string, sink report.Sink, do func() error) error {
	begun := r.session.hostStarted(sink, name, "reset")
	err := do()
	r.session.hostEnded(sink, name, "reset", begun, err)
	return err
}

// wipe resets one host. One whose cluster goes on is first taken off etcd, while
// its member can still be asked, and its Node goes once the kubelet is silent.
func (r *Reset) wipe(ctx context.Context, h ResetHost, sink report.Sink) error {
	start := r.session.options.Now()
	if !r.Whole && h.Role == inventory.RoleMaster && r.etcd != nil {
		if err := r.leaveEtcd(ctx, h.Name, sink); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	if err := r.beside(ctx, h, sink); err != nil {
		return err
	}
	if !r.Whole {
		if err := r.removeNode(ctx, h.Name); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.wiped = append(r.wiped, h.Name)
	r.mu.Unlock()
	r.note(sink, start, h.Name+"  reset")
	return nil
}

// beside wipes a host while its Puppet agent does not run.
func (r *Reset) beside(ctx context.Context, h ResetHost, sink report.Sink) error {
	defer r.neighbours.leave(context.WithoutCancel(ctx), h.Name)
	waiting := func(text string) {
		sink.Event(report.Event{Time: r.session.options.Now(), Kind: report.Note, Text: text})
	}
	if err := r.neighbours.enter(ctx, h.Name, waiting); err != nil {
		return err
	}
	return h.host.Wipe(ctx, r.session.conns[h.Name])
}

// leaveEtcd takes a master's member away, after a snapshot on a master that stays: those
// that are kept on this one go with it.
func (r *Reset) leaveEtcd(ctx context.Context, name string, sink report.Sink) error {
	client, err := r.etcd.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	// As the quorum knows them: one that lags behind may not have heard of it.
	members, err := client.Agreed(ctx)
	if err != nil {
		return err
	}
	// One that never started has no name there, and stands in the way of all that come.
	m := memberOf(removal.Node{Name: name, Address: r.session.address(name)}, members)
	if m == nil {
		return nil
	}
	start, going := r.session.options.Now(), r.masters()
	goes := func(m etcd.Member) bool { return slices.Contains(going, m.Name) }
	t, err := voting.Take(ctx, r.etcd, r.writer, start, goes)
	if err != nil {
		return fmt.Errorf("its etcd is not taken off the cluster's without a snapshot on a master that stays: %w", err)
	}
	r.note(sink, start, "a snapshot of etcd is kept on "+t.String())
	leave := voting.Removal{Member: *m}
	for _, o := range members {
		if goes(o) {
			leave.Heirless = append(leave.Heirless, o.ID)
		}
	}
	return leave.Gone().Perform(ctx, resource.World{Cluster: r.etcd}, plan.Change{})
}

// writer is the connection to a host that was reached.
func (r *Reset) writer(name string) (host.Writer, error) {
	conn := r.session.conns[name]
	if why := r.session.Away[name]; conn == nil || why != nil {
		return nil, cmp.Or(why, fmt.Errorf("%s was not reached", name))
	}
	return conn, nil
}

func (r *Reset) removeNode(ctx context.Context, name string) error {
	api, err := r.session.access.API(ctx)
	if errors.Is(err, cluster.ErrNoCluster) {
		return nil
	}
	if err == nil {
		err = api.Delete(ctx, kube.Ref{Key: kube.Key{Kind: "Node", Name: name}, Version: "v1"})
	}
	if err != nil {
		return fmt.Errorf("%s was reset, but its Node object is still there: %w", name, err)
	}
	return nil
}

func (r *Reset) removeNeighbors(ctx context.Context, b ResetBigIP, sink report.Sink) error {
	start := r.session.options.Now()
	shell := r.session.conns[b.Name]
	if _, err := shell.Run(ctx, host.Cmd{
		Argv: []string{"imish", "-r", "0"}, Stdin: strings.NewReader(strings.Join(bgp.Paste(b.Lines), "\n") + "\n"),
	}); err != nil {
		return err
	}
	now, err := facts.RoutingShell(ctx, shell)
	if err != nil {
		return err
	}
	if left := bgp.Removal(now.Texts[facts.RunningConfig], bgp.Peering{Cluster: r.Cluster}); len(left) > 0 {
		return fmt.Errorf("%s: its neighbors were removed, but it still wants: %s", b.Name, strings.Join(left, ","))
	}
	r.note(sink, start, b.Name+"  neighbors removed")
	return nil
}

func (r *Reset) note(sink report.Sink, start time.Time, text string) {
	now := r.session.options.Now()
	sink.Event(report.Event{Time: now, Kind: report.Note, Text: fmt.Sprintf("%s (%s)", text, now.Sub(start).Round(10*time.Millisecond))})
}

// all does the same to hosts at once, and returns what went wrong, in their order.
func (r *Reset) all(hosts []ResetHost, do func(int, ResetHost) error) []error {
	errs := make([]error, len(hosts))
	index := map[string]int{}
	var targets []ssh.Target
	for i, h := range hosts {
		index[h.Name] = i
		targets = append(targets, ssh.Target{Name: h.Name})
	}
	r.session.each(targets, func(t ssh.Target) {
		i := index[t.Name]
		errs[i] = do(i, hosts[i])
	})
	return errs
}
