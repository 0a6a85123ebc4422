package capacity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

// Fits is what kube-scheduler would find places for.
type Fits struct {
	Declared *Fit // nil when nothing is declared
	Running  *Fit // nil when no cluster was asked
}

// Fit is what places some workloads find on the hosts that something is known of: on all
// of them, and when failure domains are lost that may be.
type Fit struct {
	All  placement.Result
	Loss placement.Loss
	More []int // of each of All's workloads alone, after all others

	whose  string
	asks   []Amount // one pod of each of the workloads
	unseen int      // hosts that it might be on and of which nothing is known
}

// LiveNode is what a cluster says of a node besides its size.
type LiveNode struct {
	Labels   map[string]string
	Taints   []placement.Taint
	Cordoned bool
	Taken    placement.Resources // by what would be made again nowhere
}

// Place asks placement. It is asked once: of a large cluster it takes a while.
func Place(in Inputs) Fits {
	var out Fits
	in = in.heard()
	tolerate := in.Cluster.Capacity.Tolerate
	if hosts := open(in.Cluster); len(in.Cluster.Capacity.Workloads) > 0 && len(in.known(hosts)) > 0 {
		out.Declared = fitOf(in.nodes(hosts, false), in.declared(), declaredWorkloads, tolerate)
		out.Declared.unseen = len(hosts) - len(in.known(hosts))
	}
	if hosts := in.Cluster.Hosts(); in.Running != nil {
		out.Running = fitOf(in.nodes(hosts, true), in.Pods, runningPods, tolerate)
		out.Running.unseen = len(open(in.Cluster)) - len(in.known(open(in.Cluster)))
	}
	return out
}

// many is how many pods are placed anew, in all of the losses of one failure domain there
// may be, before only those are tried that hold the most.
const many = 2_000_000

func fitOf(nodes []placement.Node, workloads []placement.Workload, whose string, tolerate int) *Fit {
	p := placement.Place(nodes, workloads)
	f := &Fit{whose: whose, All: p.Result(), More: p.More()}
	for i := range workloads {
		r := workloads[i].Requests
		f.asks = append(f.asks, Amount{inventory.MilliCPU(r.CPU), inventory.Bytes(r.Memory)})
	}
	if p.Losses() > many {
		f.Loss = p.LikelyLoss(tolerate)
	} else {
		f.Loss = p.WorstLoss(tolerate)
	}
	return f
}

// nodes are the hosts that something is known of, as placement has them: as they run, or
// as the inventory has them, without the part of what runs on each.
func (in Inputs) nodes(hosts []inventory.Host, live bool) []placement.Node {
	var out []placement.Node
	for _, h := range in.known(hosts) {
		if in.Hosts[h.Name].Silent {
			continue
		}
		all, left := in.allocatable(h)
		n := in.node(h, live)
		n.Allocatable = placement.Resources{CPU: max(0, int64(left.CPU)), Memory: max(0, int64(left.Memory)), Pods: int64(h.Kubelet.MaxPods) - 1}
		if live { // DaemonSets are placed there with all others
			n.Allocatable = placement.Resources{CPU: max(0, int64(all.CPU)), Memory: max(0, int64(all.Memory)), Pods: int64(h.Kubelet.MaxPods)}
			if at := in.Hosts[h.Name].Node; at != nil {
				n.Allocatable.CPU -= at.Taken.CPU
				n.Allocatable.Memory -= at.Taken.Memory
				n.Allocatable.Pods -= at.Taken.Pods
			}
		}
		out = append(out, n)
	}
	return out
}

// declared are the workloads of the inventory.
func (in Inputs) declared() []placement.Workload {
	var out []placement.Workload
	for _, w := range in.Cluster.Capacity.Workloads {
		out = append(out, placement.Workload{Name: w.Name, Replicas: w.Replicas, Requests: placement.Resources{CPU: int64(w.CPU), Memory: int64(w.Memory)}})
	}
	return out
}

// outcome is what becomes of a workload; the zero value when there is no such.
func (f *Fit) outcome(name string) placement.Outcome {
	if f == nil {
		return placement.Outcome{}
	}
	i := slices.IndexFunc(f.All.Workloads, func(o placement.Outcome) bool { return o.Workload == name && !o.DaemonSet })
	if i < 0 {
		return placement.Outcome{}
	}
	return f.All.Workloads[i]
}

// short are the workloads of a result that lack something, and how many of their pods find
// no place for it.
func short(r placement.Result, of ...placement.Shortage) (pods int, first placement.Outcome) {
	for _, o := range r.Workloads {
		if o.Missing == 0 || o.DaemonSet || !slices.Contains(of, o.Short) {
			continue
		}
		if pods == 0 {
			first = o
		}
		pods += o.Missing
	}
	return pods, first
}
