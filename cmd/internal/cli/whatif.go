package cli

import (
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

// whatIfFlags are what is supposed of a cluster.
type whatIfFlags struct {
	addNodes     int
	like, grow   string
	remove, lose []string
	workloads    []string
}

func (w *whatIfFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&w.addNodes, "add-nodes", 0, "suppose so many more kube-nodes; needs --like")
	f.StringVar(&w.like, "like", "", "the kube-node that supposed ones are like, also where it is told how many can be added")
	f.StringArrayVar(&w.remove, "remove", nil, "suppose that a host is removed; may be repeated")
	f.StringArrayVar(&w.lose, "lose", nil, "suppose that all hosts of a failure domain are down; may be repeated")
	f.StringArrayVar(&w.workloads, "workload", nil, "suppose a declared workload, as NAME=REPLICAS,CPU,MEMORY; may be repeated")
	f.StringVar(&w.grow, "grow", "", "suppose so many times the pods that are declared and that run")
}

// most is how many nodes, and how many times the pods, are worth a thought.
const most = 5000

func (w *whatIfFlags) read(c *cobra.Command) (provision.CapacityWhatIf, error) {
	out := provision.CapacityWhatIf{AddNodes: w.addNodes, Like: w.like, Remove: w.remove, Lose: w.lose}
	if c.Flags().Changed("add-nodes") {
		switch {
		case w.addNodes < 1 || w.addNodes > most:
			return out, usageError("--add-nodes %d: use 1 to %d", w.addNodes, most)
		case w.like == "":
			return out, usageError("--add-nodes needs --like HOST: a kube-node that the new ones are like")
		}
	}
	if c.Flags().Changed("grow") {
		n, err := strconv.ParseFloat(w.grow, 64)
		if err != nil || math.IsNaN(n) || n <= 0 || n > most {
			return out, usageError("--grow %q: use a number above 0 and up to %d, such as 1.5", w.grow, most)
		}
		out.Grow = n
	}
	for _, text := range w.workloads {
		load, err := inventory.ParseWorkload(text)
		if err != nil {
			return out, usageError("--workload: %w", err)
		}
		out.Workloads = append(out.Workloads, load)
	}
	return out, nil
}
