package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) nodeReplace() *cobra.Command {
	var run runFlags
	var remove removeFlags
	c := &cobra.Command{
		Use:   "replace NAME…",
		Short: "Have other, empty machines take hosts' places",
		Long: `replace has the machine that the inventory has under a host's name take that host's
place: an empty one, at the address there was or at another. A host whose machine is
the one that the cluster knows is not replaced, and it says so.

Of kube-nodes several can be named. What a machine was is removed as "drover node
remove" does it, with the same flags and refusals: while it lives it is cordoned, taken
out of the paths to service addresses and drained, one node after the other; when it
is at another address than the new one it is reset there, and the BIG-IPs know the new
one in its place. When its Node and its address blocks are gone the new machine joins
as by "drover node add", and no other host is asked but the masters and the BIG-IPs.
When what runs on all the nodes named finds no room on the others, they are replaced
in waves of as many as it does, one wave after the other.

Masters are replaced one at a time, the first as well, while the others are a quorum
of etcd without it. A verified snapshot of etcd is taken on another master first; then
the Node and the etcd member of the machine before are removed, and the new one joins
as any master does that an inventory grew by: its etcd as a learner that gets its vote
when it has caught up, with the authorities of the other masters and nothing of the
machine before. Whatever else differs from the inventory is done as well. From the
moment the former member is gone, apply goes on with it, too.

Like apply, it shows what it would do and asks; "drover plan --replace NAME" only shows
it. Run again after it was cut off, it goes on.

A machine that was not reset must not come back with its disk: a node's kubelet would
speak for the new one, and a master's holds the cluster's keys.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			return a.onNodes(c, remove.task(provision.NodeReplace, names), run)
		},
	}
	run.add(c)
	remove.add(c)
	return c
}

// replacement is the task to replace hosts, by what they are.
func replacement(cmd *cobra.Command, c *inventory.Cluster, task provision.NodeTask) (provision.NodeTask, error) {
	named := func(hosts []inventory.Host) (names []string) {
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		return names
	}
	masters, nodes := named(c.KubeMasters), named(c.KubeNodes)
	for _, name := range task.Names {
		switch {
		case slices.Contains(masters, name) && len(task.Names) > 1:
			return task, usageError("%s is a master, and masters are replaced one at a time: give its name alone", name)
		case slices.Contains(masters, name) && saysHow(cmd) != "":
			return task, usageError("--%s says how kube-nodes are removed, and %s is a master", saysHow(cmd), name)
		case slices.Contains(masters, name):
			task.Verb = provision.MasterReplace
		case !slices.Contains(nodes, name):
			return task, usageError("the inventory has no host %q, so there is no machine that could take its place: it has %s", name, strings.Join(slices.Concat(masters, nodes), ", "))
		}
	}
	return task, nil
}
