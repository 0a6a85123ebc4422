package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
)

// WhatIf is what is supposed of a cluster before it is judged. The zero value supposes
// nothing.
type WhatIf struct {
	AddNodes  int    // so many more kube-nodes
	Like      string // that are what this host is
	Remove    []string
	Lose      []string // failure domains whose hosts are down
	Workloads []inventory.Workload
	Grow      float64 // by which replicas, of what is declared and what runs, are multiplied; 0: they are not
}

// Nothing reports whether nothing is supposed.
func (w WhatIf) Nothing() bool {
	return w.AddNodes == 0 && len(w.Remove) == 0 && len(w.Lose) == 0 && len(w.Workloads) == 0 && w.Grow == 0
}

// Refused is why what is supposed cannot be of a cluster; nil when it can.
func (w WhatIf) Refused(c *inventory.Cluster) error {
	hosts, domains := map[string]inventory.Host{}, map[string]bool{}
	for _, h := range c.Hosts() {
		hosts[h.Name] = h
		domains[domainOf(h)] = true
	}
	if h, known := hosts[w.Like]; w.Like != "" && !known {
		return fmt.Errorf("--like: the inventory has no host %q: it has %s", w.Like, some(slices.Sorted(maps.Keys(hosts))))
	} else if known && h.Role != inventory.RoleNode {
		return fmt.Errorf("--like: %s is a kube_master: name a kube_node", w.Like)
	}
	for i, name := range w.Remove {
		if _, known := hosts[name]; !known {
			return fmt.Errorf("--remove: the inventory has no host %q: it has %s", name, some(slices.Sorted(maps.Keys(hosts))))
		}
		if slices.Contains(w.Remove[:i], name) {
			return fmt.Errorf("--remove: %s is named twice", name)
		}
	}
	if !slices.ContainsFunc(c.KubeMasters, func(h inventory.Host) bool { return !slices.Contains(w.Remove, h.Name) }) {
		return fmt.Errorf("--remove: no master would be left")
	}
	for i, d := range w.Lose {
		if !domains[d] {
			return fmt.Errorf("--lose: no host is in failure domain %q: there are %s", d, some(slices.Sorted(maps.Keys(domains))))
		}
		if slices.Contains(w.Lose[:i], d) {
			return fmt.Errorf("--lose: %s is named twice", d)
		}
	}
	for i, load := range w.Workloads {
		if slices.ContainsFunc(w.Workloads[:i], func(o inventory.Workload) bool { return o.Name == load.Name }) {
			return fmt.Errorf("--workload: %s is given twice", load.Name)
		}
	}
	return nil
}

// Suppose is the same with what is supposed. Nothing that it was given changes.
func (w WhatIf) Suppose(in Inputs) Inputs {
	c := *in.Cluster
	in.Cluster, in.Hosts = &c, maps.Clone(in.Hosts)
	w.grow(&in)
	w.load(&c)
	added := w.added(&c)
	w.remove(&in)
	c.KubeNodes = append(slices.Clip(c.KubeNodes), added...)
	for _, h := range added {
		if f, known := in.Hosts[w.Like]; known {
			in.Hosts[h.Name] = HostFacts{CPUs: f.CPUs, Memory: f.Memory, Allocatable: f.Allocatable, Huge: f.Huge}
		}
	}
	w.lose(&in)
	if len(w.Remove)+len(w.Lose) > 0 { // where their pods will be nobody knows yet
		in.RunningOn = nil
	}
	return in
}

func (w WhatIf) grow(in *Inputs) {
	if w.Grow == 0 {
		return
	}
	times := func(n int) int { return int(math.Ceil(float64(n)*w.Grow - 1e-9)) }
	in.Cluster.Capacity.Workloads = slices.Clone(in.Cluster.Capacity.Workloads)
	for i := range in.Cluster.Capacity.Workloads {
		in.Cluster.Capacity.Workloads[i].Replicas = times(in.Cluster.Capacity.Workloads[i].Replicas)
	}
	in.Pods = slices.Clone(in.Pods)
	for i := range in.Pods {
		in.Pods[i].Replicas = times(in.Pods[i].Replicas)
		in.Pods[i].Running = atMost(in.Pods[i].Running, in.Pods[i].Replicas)
	}
	more := func(a Amount) Amount {
		return Amount{inventory.MilliCPU(min(math.Ceil(float64(a.CPU)*w.Grow), plenty)), inventory.Bytes(min(math.Ceil(float64(a.Memory)*w.Grow), plenty))}
	}
	if in.Running != nil {
		all := more(*in.Running)
		in.Running = &all
	}
	in.RunningOn = maps.Clone(in.RunningOn)
	for name, a := range in.RunningOn {
		in.RunningOn[name] = more(a)
	}
}

// atMost is what runs of a workload that has shrunk.
func atMost(running map[string]int, replicas int) map[string]int {
	out := map[string]int{}
	for _, node := range slices.Sorted(maps.Keys(running)) {
		if n := min(running[node], replicas); n > 0 {
			out[node], replicas = n, replicas-n
		}
	}
	return out
}

// load has workloads declared, in the place of those of the same name.
func (w WhatIf) load(c *inventory.Cluster) {
	for _, load := range w.Workloads {
		load.Where = c.Capacity.Where
		c.Capacity.Workloads = slices.Clone(c.Capacity.Workloads)
		i := slices.IndexFunc(c.Capacity.Workloads, func(o inventory.Workload) bool { return o.Name == load.Name })
		if i < 0 {
			c.Capacity.Workloads = append(c.Capacity.Workloads, load)
		} else {
			c.Capacity.Workloads[i] = load
		}
	}
}

func (w WhatIf) remove(in *Inputs) {
	c := in.Cluster
	gone := func(name string) bool { return slices.Contains(w.Remove, name) }
	goes := func(h inventory.Host) bool { return gone(h.Name) }
	c.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), goes)
	c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), goes)
	c.Masters = slices.DeleteFunc(slices.Clone(c.Masters), gone)
	c.Calico.RouteReflectors = slices.DeleteFunc(slices.Clone(c.Calico.RouteReflectors), gone)
	in.Away = slices.DeleteFunc(slices.Clone(in.Away), gone)
}

// added are the nodes that come: what the host is that they are like, but each in the
// failure domain that has the fewest nodes by then.
func (w WhatIf) added(c *inventory.Cluster) []inventory.Host {
	like := slices.IndexFunc(c.KubeNodes, func(h inventory.Host) bool { return h.Name == w.Like })
	if w.AddNodes == 0 || like < 0 {
		return nil
	}
	nodes := map[string]int{}
	for _, h := range c.KubeNodes {
		if h.FailureDomain == "" || slices.Contains(w.Lose, h.FailureDomain) {
			continue
		}
		nodes[h.FailureDomain] += 0 // also when the only one goes
		if !slices.Contains(w.Remove, h.Name) {
			nodes[h.FailureDomain]++
		}
	}
	out := make([]inventory.Host, w.AddNodes)
	taken := map[string]bool{}
	for _, h := range c.Hosts() {
		taken[h.Name] = true
	}
	n := 0
	for i := range out {
		h := c.KubeNodes[like]
		for h.Name = ""; h.Name == "" || taken[h.Name]; n++ {
			h.Name = fmt.Sprintf("%s+%d", w.Like, n+1)
		}
		if h.FailureDomain != "" && len(nodes) > 0 {
			h.FailureDomain = slices.MinFunc(slices.Collect(maps.Keys(nodes)), func(a, b string) int {
				return cmp.Or(cmp.Compare(nodes[a], nodes[b]), cmp.Compare(a, b))
			})
			nodes[h.FailureDomain]++
		}
		out[i] = h
	}
	return out
}

// lose has hosts be down: they are members still, and hold their addresses and sessions,
// but no pod can be there; and what is lost is part of what may be.
func (w WhatIf) lose(in *Inputs) {
	if len(w.Lose) == 0 {
		return
	}
	c := in.Cluster
	in.Lost = w.Lose
	c.Capacity.Tolerate = max(0, c.Capacity.Tolerate-len(w.Lose))
	down := func(h inventory.Host) bool { return slices.Contains(w.Lose, domainOf(h)) }
	for _, h := range c.Hosts() {
		if down(h) {
			delete(in.Hosts, h.Name)
		}
	}
	taint(c, down)
}

// Supposed tells what is supposed of a cluster, a sentence each.
func (w WhatIf) Supposed(c *inventory.Cluster) []string {
	var out []string
	if w.Grow != 0 {
		out = append(out, fmt.Sprintf("%g times the pods that are declared, and that run", w.Grow))
	}
	for _, l := range w.Workloads {
		out = append(out, fmt.Sprintf("workload %s declared: %s of %s", l.Name, count(l.Replicas, "pod"), Amount{l.CPU, l.Memory}))
	}
	if len(w.Remove) > 0 {
		out = append(out, strings.Join(w.Remove, ", ")+" removed")
	}
	if added := w.added(c); len(added) > 0 {
		in := map[string]bool{}
		for _, h := range added {
			in[h.FailureDomain] = true
		}
		where := ""
		if delete(in, ""); len(in) > 0 {
			where = ", in " + list(slices.Sorted(maps.Keys(in)), "failure domain")
		}
		out = append(out, fmt.Sprintf("%s like %s added%s", count(len(added), "node"), w.Like, where))
	}
	if len(w.Lose) > 0 {
		down := 0
		for _, h := range c.Hosts() {
			if slices.Contains(w.Lose, domainOf(h)) && !slices.Contains(w.Remove, h.Name) {
				down++
			}
		}
		out = append(out, fmt.Sprintf("%s lost: %s down", list(w.Lose, "failure domain"), count(down, "host")))
	}
	return out
}
