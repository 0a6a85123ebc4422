package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) nodeAdd() *cobra.Command {
	var run runFlags
	c := &cobra.Command{
		Use:   "add NAME…",
		Short: "Make nodes of hosts that are new in the inventory",
		Long: `add does for the kube-nodes named what "drover apply" does after the inventory has
grown, and asks no other host but the masters and the BIG-IPs. Before it says done,
the node is Ready, a pod on it had an address, and the BIG-IPs that can be read have
their session with it and the route to its address block.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			return a.onNodes(c, provision.NodeTask{Verb: provision.NodeAdd, Names: names}, run)
		},
	}
	run.add(c)
	return c
}

func (a *app) nodeRemove() *cobra.Command {
	var run runFlags
	var remove removeFlags
	c := &cobra.Command{
		Use:   "remove NAME…",
		Short: "Take nodes and masters out of the cluster, and what drover made off their hosts",
		Long: `remove takes machines out of the cluster, whether the inventory still names them
or no longer does: it cordons them, keeps service addresses from leading there and
sees the routes gone on the BIG-IPs that can be read, drains them one after the other,
takes them off the BIG-IPs, resets their hosts, deletes their Nodes and waits for
their address blocks to be given back. Cut off, it is run again and goes on.

Of a master, a verified snapshot of etcd is taken first, on one that stays. When its
pods are gone, the load balancers of all hosts forget it, without a kubelet started
again; its API server stops, its etcd hands on the lead and is a member no more, and
its host is reset. Several go one after the other. The last one, and one without
which those that answer would be no quorum, is never removed: nothing does so all the
same.

It refuses, with the reason and the flag that does so all the same, when pods would
find no room by what they ask for, when a PodDisruptionBudget allows none of its pods
to be missing, when pods have no controller, or data in emptyDir volumes, and when a
host cannot be reached: --unreachable removes one that is dead. It comes back into
the cluster by nothing it still has: nodes are made by drover alone, and the etcd of a
master that was removed is refused by the others. That holds as long as no other machine
has its name: both would speak for it, so whoever adds one is warned of a machine that
was removed and not reset.

"drover plan --prune NAME" shows all of it before; "drover apply --prune NAME" does
it besides all else. What the inventory still names, the next apply adds again.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			return a.onNodes(c, remove.task(provision.NodeRemove, names), run)
		},
	}
	run.add(c)
	remove.add(c)
	return c
}

func (a *app) nodeDrain() *cobra.Command {
	var run runFlags
	var drain drainFlags
	c := &cobra.Command{
		Use:   "drain NAME…",
		Short: "Cordon nodes and move their pods elsewhere",
		Long: `drain keeps new pods off the nodes and asks the pods there to go, through the
eviction API: disruption budgets are heeded, each pod has its own time to end, and
pods of DaemonSets stay. Nodes are drained one after the other. When the deadline
passes, it tells of every pod that is left what holds it.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			task := provision.NodeTask{Verb: provision.NodeDrain, Names: names, Drain: drain.options()}
			return a.onNodes(c, task, run)
		},
	}
	run.add(c)
	drain.add(c)
	return c
}

func (a *app) nodeCordon() *cobra.Command {
	return a.serviceVerb("cordon NAME…", "Keep new pods off nodes", provision.NodeCordon,
		"cordon keeps new pods off the nodes. What runs there goes on.")
}

func (a *app) nodeUncordon() *cobra.Command {
	return a.serviceVerb("uncordon NAME…", "Let pods on nodes again", provision.NodeUncordon,
		`uncordon lets new pods on the nodes again, and service addresses, if a removal that
did not come to its end has kept those away.`)
}

// serviceVerb is a verb that is asked for and taken back in a moment: nobody is asked.
func (a *app) serviceVerb(use, short string, verb provision.NodeVerb, long string) *cobra.Command {
	run := runFlags{yes: true}
	c := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			return a.onNodes(c, provision.NodeTask{Verb: verb, Names: names}, run)
		},
	}
	run.lock.add(c)
	return c
}

// onNodes does something to the nodes named.
func (a *app) onNodes(c *cobra.Command, task provision.NodeTask, run runFlags) error {
	cluster, err := a.load()
	if err != nil {
		return err
	}
	if task, err = a.checkTask(c, cluster, task); err != nil {
		return err
	}
	s, p, err := a.lookAt(c, cluster, false, task)
	if err != nil {
		return err
	}
	waves, err := s.Waves(c.Context())
	if err != nil || len(waves) > 1 {
		s.Close()
		return orElse(err, func() error { return a.inWaves(c, cluster, task, waves, run) })
	}
	defer s.Close()
	return a.carryOut(c.Context(), s, p, nil, run)
}

// inWaves does a task with some of its nodes after the other. What fails ends it.
func (a *app) inWaves(c *cobra.Command, cluster *inventory.Cluster, task provision.NodeTask, waves [][]string, run runFlags) error {
	a.view.Warn("not all of them can be out of service at once, so they go in %d waves: what runs on those of one has room on the others", len(waves))
	var changed error
	for n, names := range waves {
		task.Names = names
		if err := a.view.Line(fmt.Sprintf("wave %d of %d: %s", n+1, len(waves), strings.Join(names, ", "))); err != nil {
			return err
		}
		err := a.onWave(c, cluster, task, run)
		if code := (codeError{}); errors.As(err, &code) && code.code == exitChanges {
			changed = err
			continue
		}
		if err != nil {
			a.view.Warn("not replaced yet: %s; the same command goes on", strings.Join(slices.Concat(waves[n:]...), ", "))
			return err
		}
	}
	return changed
}

func (a *app) onWave(c *cobra.Command, cluster *inventory.Cluster, task provision.NodeTask, run runFlags) error {
	s, p, err := a.lookAt(c, cluster, false, task)
	if err != nil {
		return err
	}
	defer s.Close()
	return a.carryOut(c.Context(), s, p, nil, run)
}

// checkTask refuses what can be told to be wrong before any host is spoken to.
func (a *app) checkTask(cmd *cobra.Command, c *inventory.Cluster, task provision.NodeTask) (provision.NodeTask, error) {
	task.Names = slices.Compact(slices.Sorted(slices.Values(task.Names)))
	if takesLock(cmd) { // else it only shows
		if err := a.mayRemove(task); err != nil {
			return task, err
		}
	}
	switch task.Verb {
	case provision.NodeDrain, provision.NodeRemove, provision.NodePrune, provision.NodeReplace:
		if task.Drain.Limit <= 0 {
			return task, usageError("--timeout=%s is no time in which pods could go: there is no wait without an end", task.Drain.Limit)
		}
	}
	if task.Verb == provision.NodeReplace {
		return replacement(cmd, c, task)
	}
	return task, checkNames(c, task)
}

// checkNames refuses hosts with which a task has nothing to do.
func checkNames(c *inventory.Cluster, task provision.NodeTask) error {
	var nodes []string
	for _, h := range c.KubeNodes {
		nodes = append(nodes, h.Name)
	}
	for _, name := range task.Names {
		master := slices.ContainsFunc(c.KubeMasters, func(h inventory.Host) bool { return h.Name == name })
		switch {
		case master && task.Verb == provision.NodeAdd:
			return usageError("%s is a master, and node add is for kube-nodes only", name)
		case task.Verb == provision.NodeAdd && !slices.Contains(nodes, name):
			return usageError("the inventory has no kube_node %q, so there is nothing to make it of: it has %s", name, strings.Join(nodes, ", "))
		}
	}
	return someMasterStays(c, task)
}

// someMasterStays refuses a removal of all the masters that the inventory names.
func someMasterStays(c *inventory.Cluster, task provision.NodeTask) error {
	if task.Verb != provision.NodeRemove && task.Verb != provision.NodePrune {
		return nil
	}
	for _, h := range c.KubeMasters {
		if !slices.Contains(task.Names, h.Name) {
			return nil
		}
	}
	return usageError("%s cannot be removed: the inventory names no master that would stay. If the cluster has others, name them in it; the last one is never removed: `drover reset` ends a cluster", strings.Join(task.Names, ", "))
}

// drainFlags are how nodes are drained. They are named as kubectl's are.
type drainFlags struct {
	force, emptyDir, noEviction bool
	grace                       int64
	timeout                     time.Duration
	stuck                       stuckFlag
}

func (f *drainFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.force, "force", false, "move also pods that no controller makes again: they are lost")
	flags.BoolVar(&f.emptyDir, "delete-emptydir-data", false, "move also pods with emptyDir volumes: what is in them is lost")
	flags.BoolVar(&f.noEviction, "disable-eviction", false, "delete pods instead of evicting them: disruption budgets are not heeded")
	flags.Int64Var(&f.grace, "grace-period", -1, "`seconds` that pods have to end (-1: what each says of itself)")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute, "how long the pods of one node may take to go")
	f.stuck = stuckFlag(provision.LeftCordoned)
	flags.Var(&f.stuck, "if-stuck", "what becomes of a node whose pods do not go in time: cordoned or schedulable")
}

func (f *drainFlags) options() provision.NodeDrainOptions {
	var o provision.NodeDrainOptions
	o.Force, o.DeleteEmptyDir, o.DisableEviction = f.force, f.emptyDir, f.noEviction
	if f.grace >= 0 {
		o.GraceSeconds = &f.grace
	}
	o.Limit, o.IfStuck, o.Settle = f.timeout, provision.NodeIfStuck(f.stuck), true
	return o
}

// stuckFlag is what becomes of a node that is stuck.
type stuckFlag string

func (f *stuckFlag) String() string { return string(*f) }
func (f *stuckFlag) Type() string   { return "word" }
func (f *stuckFlag) Set(s string) error {
	switch provision.NodeIfStuck(s) {
	case provision.LeftCordoned, provision.LeftSchedulable:
		*f = stuckFlag(s)
		return nil
	}
	return fmt.Errorf("want %s or %s", provision.LeftCordoned, provision.LeftSchedulable)
}

// removeFlags are how nodes are removed.
type removeFlags struct {
	drainFlags
	unreachable, withoutRoom bool
}

func (f *removeFlags) add(c *cobra.Command) {
	f.drainFlags.add(c)
	c.Flags().BoolVar(&f.unreachable, "unreachable", false, "remove also those whose hosts cannot be reached: nothing is taken off them")
	c.Flags().BoolVar(&f.withoutRoom, "without-room", false, "remove nodes also when pods would find no room without them")
}

func (f *removeFlags) task(verb provision.NodeVerb, names []string) provision.NodeTask {
	t := provision.NodeTask{Verb: verb, Names: names, Drain: f.options(), Unreachable: f.unreachable, WithoutRoom: f.withoutRoom}
	t.Drain.Settle = !f.withoutRoom // else it may never be as well as before
	return t
}

// pruneFlags remove nodes besides all else, or show what it takes to replace some.
type pruneFlags struct {
	names, replaced []string
	removeFlags
}

func (f *pruneFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.names, "prune", nil, "remove the node or master of this `name` as well (repeatable; see `drover node remove --help`)")
	f.removeFlags.add(c)
}

// showReplaced adds the flag of what only shows.
func (f *pruneFlags) showReplaced(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.replaced, "replace", nil, "show what `drover node replace` of this `name` would do instead (repeatable)")
}

// task is the removal, if one is asked for. A flag that says how would else say
// nothing, and look as if it did.
func (f *pruneFlags) task(c *cobra.Command) (provision.NodeTask, error) {
	switch {
	case len(f.names) > 0 && len(f.replaced) > 0:
		return provision.NodeTask{}, usageError("--prune is of apply, and --replace of node replace: give one of them")
	case len(f.names) > 0:
		return f.removeFlags.task(provision.NodePrune, f.names), nil
	case len(f.replaced) > 0:
		t := f.removeFlags.task(provision.NodeReplace, f.replaced)
		t.InWaves = true
		return t, nil
	}
	if name := saysHow(c); name != "" {
		needs := "--prune NAME"
		if c.Flags().Lookup("replace") != nil {
			needs += " or --replace NAME"
		}
		return provision.NodeTask{}, usageError("--%s says how nodes are removed: it needs %s", name, needs)
	}
	return provision.NodeTask{}, nil
}

// saysHow is a flag that was given and says how nodes are removed.
func saysHow(c *cobra.Command) (name string) {
	own := &cobra.Command{}
	(&removeFlags{}).add(own)
	own.Flags().VisitAll(func(flag *pflag.Flag) {
		if c.Flags().Changed(flag.Name) {
			name = flag.Name
		}
	})
	return name
}

// refusal is why a run must not be begun, if it must not.
func refusal(ctx context.Context, s *provision.Session) error {
	objections, err := s.Objections(ctx)
	if err == nil && len(objections) > 0 {
		err = &provision.ObjectionsError{Verb: s.Task().Verb, Objections: objections}
	}
	return err
}

// warnOfObjections tells what would keep an apply from doing what is planned.
func (a *app) warnOfObjections(ctx context.Context, s *provision.Session) error {
	objections, err := s.Objections(ctx)
	verb := "apply"
	if s.Task().Verb == provision.NodeReplace {
		verb = "node replace"
	}
	for _, o := range objections {
		a.view.Warn("%s would refuse this: %s", verb, o)
	}
	return err
}

// warnStillNamed tells of machines that were removed and that the inventory would have
// join again.
func (a *app) warnStillNamed(s *provision.Session) {
	if names := s.StillNamed(); len(names) > 0 {
		a.view.Warn("the inventory still names %s: take that out of it, or the next apply has it join again", strings.Join(names, ", "))
	}
}
