package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) nodeReplace() *cobra.Command {
	var run runFlags
	c := &cobra.Command{
		Use:   "replace NAME",
		Short: "Have another, empty machine take a kube-master's place",
		Long: `replace has the machine that the inventory has under a kube-master's name take that
master's place: an empty one, at the address there was or at another. Any master can
be replaced, the first as well, while the others are a quorum of etcd without it.

A verified snapshot of etcd is taken on another master first; then the Node and the
etcd member of the machine before are removed, and the new one joins as any master
does that an inventory grew by: its etcd as a learner that gets its vote when it has
caught up, with the authorities of the other masters and nothing of the machine
before. Like apply, it shows what it would do and asks, and whatever else differs
from the inventory is done as well. Run again after it was cut off, it goes on; from
the moment the former member is gone, so does apply.

The machine before holds the cluster's keys: see that it does not come back with its
disk. Its etcd is refused by the others.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			return a.onNodes(c, provision.NodeTask{Verb: provision.NodeReplace, Names: given}, run)
		},
	}
	run.add(c)
	return c
}

// replaceable refuses names that no master has.
func replaceable(c *inventory.Cluster, name string) error {
	named := func(hosts []inventory.Host) (names []string) {
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		return names
	}
	switch masters := named(c.KubeMasters); {
	case slices.Contains(masters, name):
		return nil
	case slices.Contains(named(c.KubeNodes), name):
		return fmt.Errorf("%s is a kube-node, and drover replaces kube-masters only, so far: run `drover node remove %[1]s`, put the new machine in its place, and run `drover node add %[1]s`", name)
	default:
		return usageError("the inventory has no kube_master %q: it has %s", name, strings.Join(masters, ", "))
	}
}
