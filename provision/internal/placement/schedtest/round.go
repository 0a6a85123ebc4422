package schedtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/droverctl/drover/provision/internal/placement"
)

// Round is nodes and workloads that nothing of the rounds before is left beside.
// Names of nodes get a prefix of the round's own, "r1-".
type Round struct {
	*Server
	name      string
	workloads map[string]*placement.Workload
	owners    map[string]types.UID
	pods      int
}

const lastNode = "last"

// Last is a node that each round has beside its own: it takes nothing but the pod
// that tells that the scheduler has seen it, and those before it.
func Last() placement.Node {
	return placement.Node{Name: lastNode, Taints: []placement.Taint{{Key: lastNode, Effect: placement.NoSchedule}}, Allocatable: placement.Resources{Pods: 1}}
}

// Begin takes away the nodes of the round before, and makes those of a new one and
// its workloads, with no pods yet but those of DaemonSets.
func (s *Server) Begin(ctx context.Context, nodes []placement.Node, workloads []placement.Workload) (*Round, error) {
	s.rounds++
	r := &Round{Server: s, name: fmt.Sprintf("r%d", s.rounds), workloads: map[string]*placement.Workload{}, owners: map[string]types.UID{}}
	// Pods that found no place would take one of a new node.
	for _, space := range s.spaces {
		if err := s.client.CoreV1().Pods(space).DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{}); err != nil {
			return nil, err
		}
	}
	s.spaces = []string{r.name}
	for _, name := range s.old {
		if err := s.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return nil, err
		}
	}
	s.old = nil
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.name}}
	if _, err := s.client.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	for i := range workloads {
		if err := r.own(ctx, &workloads[i]); err != nil {
			return nil, err
		}
	}
	for _, n := range append(slices.Clip(nodes), Last()) {
		if err := r.addNode(ctx, n); err != nil {
			return nil, err
		}
	}
	if err := r.settled(ctx); err != nil {
		return nil, err
	}
	if err := r.turn(ctx, s.rounds%(len(nodes)+1)); err != nil {
		return nil, err
	}
	return r, r.daemons(ctx, nodes, workloads)
}

// turn has the scheduler go through the nodes from one that is so many further on, for
// which of equal nodes it takes depends on which it comes to first. Each pod that may be
// on a single node, and finds no place there, moves it on by one.
func (r *Round) turn(ctx context.Context, by int) error {
	for range by {
		p := r.pod(&placement.Workload{Name: "turn"})
		p.OwnerReferences = nil
		r.pin(p, lastNode)
		if _, err := r.client.CoreV1().Pods(r.name).Create(ctx, p, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	if _, err := r.Decided(ctx); err != nil {
		return err
	}
	return r.client.CoreV1().Pods(r.name).DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{LabelSelector: "app=turn"})
}

// pin has a pod be on one node or none.
func (r *Round) pin(p *corev1.Pod, node string) {
	p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{r.nodeName(node)}}}}},
	}}}
}

// own makes the ReplicaSet of a workload; nobody here acts on it.
func (r *Round) own(ctx context.Context, w *placement.Workload) error {
	r.workloads[w.Name] = w
	labels := map[string]string{"app": w.Name}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: w.Name}, Spec: appsv1.ReplicaSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: r.pod(w).Spec},
	}}
	made, err := r.client.AppsV1().ReplicaSets(r.name).Create(ctx, set, metav1.CreateOptions{})
	if err == nil {
		r.owners[w.Name] = made.UID
	}
	return err
}

func (r *Round) nodeName(name string) string { return r.name + "-" + name }

func (r *Round) addNode(ctx context.Context, n placement.Node) error {
	name := r.nodeName(n.Name)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
	if n.Domain != "" {
		node.Labels[corev1.LabelTopologyZone] = n.Domain
	}
	maps.Copy(node.Labels, n.Labels)
	api := r.client.CoreV1().Nodes()
	node, err := api.Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	r.old = append(r.old, name)
	has := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(n.Allocatable.CPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(n.Allocatable.Memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(n.Allocatable.Pods, resource.DecimalSI),
	}
	node.Status = corev1.NodeStatus{Capacity: has, Allocatable: has, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}
	if node, err = api.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	// The API server taints a new node as not ready, and who would take that away
	// does not run here.
	node.Spec.Taints = nil
	for _, t := range n.Taints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	if n.Cordoned {
		node.Spec.Unschedulable = true
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	_, err = api.Update(ctx, node, metav1.UpdateOptions{})
	return err
}

// settled waits until the scheduler has seen all nodes: it sees them in the order
// they were made in, and puts a pod on the last.
func (r *Round) settled(ctx context.Context) error {
	p := r.pod(&placement.Workload{Name: lastNode, Tolerations: []placement.Toleration{{Key: lastNode, Exists: true}}})
	p.OwnerReferences = nil
	p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: r.nodeName(lastNode)}
	if _, err := r.client.CoreV1().Pods(r.name).Create(ctx, p, metav1.CreateOptions{}); err != nil {
		return err
	}
	return r.wait("the scheduler to see the nodes", func() (bool, error) {
		p, err := r.client.CoreV1().Pods(r.name).Get(ctx, p.Name, metav1.GetOptions{})
		return err == nil && p.Spec.NodeName != "", err
	})
}

// daemons does what the DaemonSet controller does: a pod for each node, that may be
// on no other.
func (r *Round) daemons(ctx context.Context, nodes []placement.Node, workloads []placement.Workload) error {
	for i := range workloads {
		w := &workloads[i]
		if !w.DaemonSet {
			continue
		}
		for _, n := range nodes {
			p := r.pod(w)
			r.pin(p, n.Name)
			if _, err := r.client.CoreV1().Pods(r.name).Create(ctx, p, metav1.CreateOptions{}); err != nil {
				return err
			}
		}
	}
	_, err := r.Decided(ctx)
	return err
}

func (r *Round) wait(what string, ok func() (bool, error)) error {
	var last error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		done, err := ok()
		if done {
			return nil
		}
		last = err
	}
	return fmt.Errorf("waited 3 minutes for %s: %v\n%s", what, last, r.scheduler.Log())
}
