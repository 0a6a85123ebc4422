package provision

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/plan"
)

// loaded is what runs: nodes as gated has them, and pods of a workload.
func loaded(nodes []string, cpu string, on ...string) *kube.Load {
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU: quantity.MustParse(cpu), corev1.ResourceMemory: quantity.MustParse(memory), corev1.ResourcePods: quantity.MustParse("11"),
		}
	}
	l := &kube.Load{}
	for _, name := range nodes {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if name[0] == 'm' {
			n.Spec.Taints = []corev1.Taint{{Key: "master", Effect: corev1.TaintEffectNoSchedule}}
		}
		n.Status.Capacity, n.Status.Allocatable = list("4", "16Gi"), list("4", "16284Mi")
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		l.Nodes = append(l.Nodes, n)
	}
	controls := true
	for i, node := range on {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: fmt.Sprintf("web-%d", i), OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: &controls}},
		}}
		p.Spec.NodeName = node
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse(cpu)}}}}
		l.Pods = append(l.Pods, p)
	}
	return l
}

// What runs: a gate refuses nothing that a run does not make worse, and what it does.
func TestCapacityGateOfWhatRuns(t *testing.T) {
	masters := []string{"m1", "m2", "m3"}
	six := []string{"m1", "m2", "m3", "n1", "n2", "n3"}
	reserve := func(cpu string) func(*inventory.Cluster) {
		return func(c *inventory.Cluster) {
			for i := range c.KubeNodes {
				c.KubeNodes[i].Kubelet.Config = inventory.Settings{"kubeReserved": map[string]any{"cpu": cpu}}
			}
		}
	}
	reshapes := func(names ...string) (p plan.Plan) {
		for _, name := range names {
			p.Changes = append(p.Changes, plan.Change{Item: plan.Item{ID: plan.NewID(name, "file", manifests.KubeletConfigPath)}, Action: plan.Update})
		}
		return p
	}
	allThree := reshapes("n1", "n2", "n3")
	replace := NodeTask{Verb: NodeReplace, Names: []string{"n3"}}
	gpu := loaded(six, "8", "")
	gpu.Pods[0].Spec.NodeSelector = map[string]string{"gpu": "yes"}
	for _, test := range []struct {
		name           string
		nodes, members int
		change         func(*inventory.Cluster)
		task           NodeTask
		plan           plan.Plan
		load           *kube.Load
		stops          []string
	}{
		{name: "the first nodes, all in one failure domain", nodes: 2, members: 3, change: func(c *inventory.Cluster) {
			c.KubeNodes[0].FailureDomain, c.KubeNodes[1].FailureDomain = "a", "a"
		}, load: loaded(masters, "100m", "", "")},
		{name: "a pod waits for a gpu, and the node that comes has one and too few cores", nodes: 4, members: 6, change: func(c *inventory.Cluster) {
			c.KubeNodes[3].Labels, c.Capacity.Tolerate = map[string]string{"gpu": "yes"}, 0
		}, load: gpu},
		{name: "an equal machine takes n3's place where one cannot be lost", nodes: 3, members: 6, task: replace, load: loaded(six, "3", "n1", "n2", "n3")},
		{name: "a smaller one does", nodes: 3, members: 6, task: replace, load: loaded(six, "3", "n1", "n2", ""), change: func(c *inventory.Cluster) {
			reserve("0")(c)
			c.KubeNodes[2].Kubelet.Config = inventory.Settings{"kubeReserved": map[string]any{"cpu": "3500m"}}
		}, stops: []string{"headroom-cpu"}},
		{name: "the last room goes", nodes: 3, members: 6, task: NodeTask{Verb: NodeRemove, Names: []string{"n3"}}, load: loaded(six, "3", "n1", "n2"), stops: []string{"headroom-cpu"}},
		{name: "11 pods on each, and 22 run when one of three goes", nodes: 3, members: 6, task: NodeTask{Verb: NodeRemove, Names: []string{"n3"}}, load: loaded(six, "10m", slices.Repeat([]string{"n1", "n2"}, 11)...), stops: []string{"headroom-pods"}},
		{name: "11 of them run", nodes: 3, members: 6, task: NodeTask{Verb: NodeRemove, Names: []string{"n3"}}, load: loaded(six, "10m", slices.Repeat([]string{"n1"}, 11)...)},
		{name: "as before, but n4 is in the inventory alone", nodes: 4, members: 6, task: NodeTask{Verb: NodeRemove, Names: []string{"n3"}}, load: loaded(six, "3", "n1", "n2"), stops: []string{"headroom-cpu"}},
		{name: "kubelets keep back a little, and all has room", nodes: 3, members: 6, change: reserve("100m"), plan: allThree, load: loaded(six, "1", "n1", "n2", "n3")},
		{name: "kubelets keep back more than there is", nodes: 3, members: 6, change: reserve("5"), plan: allThree, load: loaded(six, "1"), stops: []string{"node-allocatable", "node-allocatable", "node-allocatable"}},
		{name: "what is kept back a pod has", nodes: 3, members: 6, change: reserve("2"), plan: reshapes("n3"), load: loaded(six, "2500m", "n3"), stops: []string{"node-allocatable"}},
		{name: "nothing is known of what runs, and what is kept back is too much", nodes: 3, members: 6, change: reserve("5"), plan: reshapes("n3"), stops: []string{"node-allocatable"}},
		{name: "what is kept back is what is kept back already", nodes: 3, members: 6, change: reserve("2"), load: loaded(six, "2500m", "n3")},
		{name: "the room that is left is kept back", nodes: 3, members: 6, change: reserve("2"), plan: allThree, load: loaded(six, "1500m", "n1", "n1", "n2", "", ""), stops: []string{"node-allocatable", "headroom-cpu"}},
		{name: "more pods on each than there are addresses", nodes: 3, members: 6, change: func(c *inventory.Cluster) {
			for i := range c.KubeNodes {
				c.KubeNodes[i].Kubelet.MaxPods = 2000
			}
		}, plan: allThree, load: loaded(six, "1"), stops: []string{"pod-addresses-per-host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, seen := gated(test.nodes, test.members, test.change, test.task)
			gate := s.gate(s.gating(test.plan), seen, test.load)
			var stops []string
			for _, c := range gate.Stops {
				stops = append(stops, c.ID)
			}
			if !slices.Equal(stops, test.stops) {
				t.Errorf("stops %v, not %v\n%v", stops, test.stops, gate.Checks)
			}
		})
	}
}
