package capacity

import (
	"maps"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

// calicoAsks is what Calico's release has calico-node ask for on every host.
var calicoAsks = Amount{CPU: 250}

// askedOfEach is what asks for a part of a host wherever other pods are: the DaemonSets
// that it admits, and what its kubelet runs by itself. A DaemonSet of a few hosts is no
// burden of the others.
func (in Inputs) askedOfEach(h inventory.Host) Amount {
	most := map[string]Amount{} // while one is rolled out there are two of a name
	there := false
	n := in.node(h, true)
	for i := range in.Pods {
		w := &in.Pods[i]
		if !w.DaemonSet {
			continue
		}
		if there = true; w.Admits(&n) {
			m := most[w.Name]
			most[w.Name] = Amount{max(m.CPU, inventory.MilliCPU(w.Requests.CPU)), max(m.Memory, inventory.Bytes(w.Requests.Memory))}
		}
	}
	asks := in.taken(h)
	if !there { // nor has any cluster been asked
		asks = asks.plus(calicoAsks)
	}
	for _, a := range most {
		asks = asks.plus(a)
	}
	return asks
}

// taken is what a host's kubelet runs by itself; on a master that is to be one, what
// the others' do.
func (in Inputs) taken(h inventory.Host) Amount {
	if at := in.Hosts[h.Name].Node; at != nil {
		return at.taken()
	}
	var most Amount
	if h.Role != inventory.RoleMaster {
		return most
	}
	for _, m := range in.Cluster.KubeMasters {
		if at := in.Hosts[m.Name].Node; at != nil {
			a := at.taken()
			most = Amount{max(most.CPU, a.CPU), max(most.Memory, a.Memory)}
		}
	}
	return most
}

func (n *LiveNode) taken() Amount {
	return Amount{inventory.MilliCPU(n.Taken.CPU), inventory.Bytes(n.Taken.Memory)}
}

// node is a host as placement has it, without its room: as it runs, or as the inventory
// has it.
func (in Inputs) node(h inventory.Host, live bool) placement.Node {
	n := placement.Node{Name: h.Name, Domain: h.FailureDomain, Labels: h.Labels}
	if at := in.Hosts[h.Name].Node; live && at != nil {
		n.Labels, n.Taints, n.Cordoned = at.Labels, at.Taints, at.Cordoned
		return n
	}
	for _, t := range h.Taints {
		n.Taints = append(n.Taints, placement.Taint{Key: t.Key, Value: t.Value, Effect: placement.Effect(t.Effect)})
	}
	if live { // what its kubelet will say of it
		n.Labels = maps.Clone(h.Labels)
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels["kubernetes.io/os"], n.Labels["kubernetes.io/arch"] = "linux", "amd64"
	}
	return n
}
