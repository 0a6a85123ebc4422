package provision

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/kube"
)

// What the cluster knows of its nodes is told: huge pages, and whom it does not hear of.
func TestWhatTheClusterSaysOfNodes(t *testing.T) {
	node := func(name string, ready corev1.ConditionStatus) corev1.Node {
		all := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), "hugepages-2Mi": resource.MustParse("1Gi")}
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Capacity: all, Allocatable: all, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
		}}
	}
	in := capacity.Inputs{Cluster: &inventory.Cluster{KubeNodes: []inventory.Host{{Name: "n1"}, {Name: "n2"}}}, Hosts: map[string]capacity.HostFacts{}}
	warnings := running(&in, kube.Load{Nodes: []corev1.Node{node("n1", corev1.ConditionTrue), node("n2", corev1.ConditionUnknown), node("stranger", corev1.ConditionUnknown)}})
	if want := []string{"no pod can be on nodes that the cluster does not hear of, so there is no room on them: n2"}; !slices.Equal(warnings, want) {
		t.Errorf("%q", warnings)
	}
	if n1, n2 := in.Hosts["n1"], in.Hosts["n2"]; n1.Silent || !n2.Silent || n1.Huge != 1<<30 || n1.Memory != 8<<30 {
		t.Errorf("%+v, %+v", n1, n2)
	}
}
