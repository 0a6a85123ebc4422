package capacity

import (
	"testing"

	"github.com/droverctl/drover/provision/internal/placement"
)

// What a DaemonSet asks for is a burden of the hosts that admit it, of a master what its
// kubelet runs by itself, and neither of any other.
func TestAskedOfEach(t *testing.T) {
	in := roomy(abc(), 2)
	everywhere := []placement.Toleration{{Exists: true}}
	in.Running = &Amount{}
	in.Pods = []placement.Workload{
		{Name: "calico", DaemonSet: true, Tolerations: everywhere, Requests: placement.Resources{CPU: 250}},
		{Name: "calico", DaemonSet: true, Tolerations: everywhere, Requests: placement.Resources{CPU: 300}}, // as it was before
		{Name: "linux", DaemonSet: true, NodeSelector: map[string]string{"kubernetes.io/os": "linux"}, Requests: placement.Resources{CPU: 10}},
		{Name: "gpu", DaemonSet: true, NodeSelector: map[string]string{"gpu": "yes"}, Requests: placement.Resources{CPU: 8000}},
	}
	with := func(name string, at LiveNode) {
		f := in.Hosts[name]
		f.Node = &at
		in.Hosts[name] = f
	}
	with("m1", LiveNode{Taints: []placement.Taint{{Key: "master", Effect: "NoSchedule"}}, Taken: placement.Resources{CPU: 750}})
	with("n1", LiveNode{Labels: map[string]string{"gpu": "yes", "kubernetes.io/os": "linux"}})
	for i, want := range []Amount{{CPU: 1050}, {CPU: 1050}, {CPU: 1050}, {CPU: 8310}, {CPU: 310}} {
		if h := in.Cluster.Hosts()[i]; in.askedOfEach(h) != want {
			t.Errorf("%s: %v, not %v", h.Name, in.askedOfEach(h), want)
		}
	}
	if n2 := in.Cluster.KubeNodes[1]; in.nodes(in.Cluster.KubeNodes, false)[1].Allocatable.CPU != 16_000-310 {
		t.Errorf("%s has room for %+v", n2.Name, in.nodes(in.Cluster.KubeNodes, false)[1].Allocatable)
	}
}
