package fleettest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// What is played of taking nodes out of service: pods are evicted when no budget
// forbids it, and those of a ReplicaSet are made again elsewhere; what drover made on
// a host is all that was not there before.

var (
	nodes   = kind{"", "v1", "Node", "nodes", false}
	pods    = kind{"", "v1", "Pod", "pods", true}
	budgets = kind{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true}
	sets    = kind{"apps", "v1", "ReplicaSet", "replicasets", true}

	peers    = kind{"crd.projectcalico.org", "v1", "BGPPeer", "bgppeers", false}
	requests = kind{"certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", false}
)

// membership is where a host keeps what it belongs to.
const membership = "/var/lib/drover"

// Pod is one that runs.
type Pod struct {
	Namespace, Name, Node string
	CPU                   string // that it asks for; "0" when empty
	// Set is the ReplicaSet that makes it again elsewhere; none when empty.
	Set      string
	EmptyDir bool
	// Kept says that the pod does not end: a finalizer holds it.
	Kept bool
}

// Run has pods run.
func (f *Fleet) Run(list ...Pod) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	for _, p := range list {
		f.api.run(p)
	}
}

func (a *api) run(p Pod) {
	cpu := p.CPU
	if cpu == "" {
		cpu = "0"
	}
	a.last++
	meta := object{"name": p.Name, "namespace": p.Namespace, "uid": fmt.Sprintf("pod-%d", a.last), "resourceVersion": fmt.Sprint(a.last), "labels": object{"app": p.Set}}
	if p.Set != "" {
		uid := "set-" + p.Namespace + "-" + p.Set
		meta["ownerReferences"] = []any{object{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": p.Set, "uid": uid, "controller": true}}
		a.put(sets, p.Namespace+"/"+p.Set, object{"kind": "ReplicaSet", "apiVersion": "apps/v1",
			"metadata": object{"name": p.Set, "namespace": p.Namespace, "uid": uid}, "spec": object{"replicas": 1}})
	}
	if p.Kept {
		meta["finalizers"] = []any{"example.com/keep"}
	}
	spec := object{"nodeName": p.Node, "containers": []any{object{"name": "c", "resources": object{"requests": object{"cpu": cpu}}}}}
	if p.EmptyDir {
		spec["volumes"] = []any{object{"name": "scratch", "emptyDir": object{}}}
	}
	a.put(pods, p.Namespace+"/"+p.Name, object{"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec,
		"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}}}})
}

func (a *api) put(k kind, key string, o object) {
	if a.objects[k] == nil {
		a.objects[k] = map[string]object{}
	}
	a.objects[k][key] = o
}

// Budget has a PodDisruptionBudget allow so many pods of a ReplicaSet to be missing.
func (f *Fleet) Budget(namespace, name, set string, allowed int) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	f.api.put(budgets, namespace+"/"+name, object{"kind": "PodDisruptionBudget", "apiVersion": "policy/v1",
		"metadata": object{"name": name, "namespace": namespace},
		"spec":     object{"minAvailable": 1, "selector": object{"matchLabels": object{"app": set}}},
		"status":   object{"disruptionsAllowed": allowed, "currentHealthy": 1 + allowed, "desiredHealthy": 1, "expectedPods": 1 + allowed}})
}

// Peer has hosts have sessions with a BIG-IP, as drover has made them.
func (f *Fleet) Peer(bigip string) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	name := "drover-" + bigip
	f.api.put(peers, "/"+name, object{"kind": "BGPPeer", "apiVersion": peers.groupVersion(), "spec": object{"peerIP": "10.90.9.5", "asNumber": 64512},
		"metadata": object{"name": name, "labels": object{"app.kubernetes.io/managed-by": "drover", "app.kubernetes.io/part-of": "calico"}}})
}

// Ask has a node's kubelet have asked for a certificate.
func (f *Fleet) Ask(node string) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	f.api.put(requests, "/csr-"+node, object{"kind": "CertificateSigningRequest", "apiVersion": "certificates.k8s.io/v1",
		"metadata": object{"name": "csr-" + node, "uid": "csr-" + node},
		"spec":     object{"username": "system:node:" + node, "signerName": "kubernetes.io/kubelet-serving", "usages": []any{"server auth"}}})
}

// Pods tells on which node each pod runs.
func (f *Fleet) Pods() map[string]string {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	out := map[string]string{}
	for key, o := range f.api.objects[pods] {
		spec, _ := o["spec"].(object)
		out[key], _ = spec["nodeName"].(string)
	}
	return out
}

// Nodes are the Nodes there are, each with what keeps it out of service.
func (f *Fleet) Nodes() map[string]string {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	out := map[string]string{}
	for _, o := range f.api.objects[nodes] {
		name, _ := metadata(o)["name"].(string)
		spec, _ := o["spec"].(object)
		labels, _ := metadata(o)["labels"].(object)
		var words []string
		if spec["unschedulable"] == true {
			words = append(words, "cordoned")
		}
		if h := f.Host(name); labels["node.kubernetes.io/exclude-from-external-load-balancers"] != nil && (h == nil || !h.Master) {
			words = append(words, "excluded")
		}
		out[name] = strings.Join(words, " ")
	}
	return out
}

// Drop takes a host out of the inventory. The machine goes on.
func (f *Fleet) Drop(name string) {
	f.tb.Helper()
	f.dropped = append(f.dropped, name)
	f.save()
}

// DropKnown is Drop where the operator's ssh_config still knows the way to the machine.
func (f *Fleet) DropKnown(name string) {
	f.tb.Helper()
	f.way(f.Host(name))
	f.Drop(name)
}

// PowerOff ends a host; PowerOn brings it back with what its disk holds.
func (f *Fleet) PowerOff(name string) {
	h := f.Host(name)
	h.dead.Store(h.joined.Swap(false))
	h.Server.Vanish(true)
	h.ends()
}

// PowerOn is described with PowerOff. A kubelet with its certificate is there again.
func (f *Fleet) PowerOn(name string) {
	h := f.Host(name)
	h.joined.Store(h.dead.Swap(false))
	h.Server.Vanish(false)
	// An API server is of use only while its etcd is.
	member := h.Master && slices.ContainsFunc(f.etcds.list(), func(m etcdMember) bool { return m.host == h })
	h.etcdRuns.Store(member)
	h.serves.Store(member)
}

// Silence ends a host's kubelet and what it ran; the host goes on.
func (f *Fleet) Silence(name string) {
	h := f.Host(name)
	h.dead.Store(h.joined.Swap(false))
	h.Machine.Edit(func(s *hosttest.State) {
		u := s.Units[manifests.KubeletUnit]
		u.Active = false
		s.Units[manifests.KubeletUnit] = u
	})
}

// Speak has a kubelet heard of again.
func (f *Fleet) Speak(name string) {
	h := f.Host(name)
	h.joined.Store(h.dead.Swap(false))
}

// Complain has a host's kubelet say that its node is not Ready.
func (f *Fleet) Complain(name string) { f.Host(name).complains.Store(true) }

// life plays the look whether a node lives on a host.
func life(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 2 || c.Argv[1] != manifests.KubeletUnit {
		return notPlayed(c)
	}
	if s.Units[manifests.KubeletUnit].Active {
		return host.Result{Stdout: []byte("its kubelet\nend\n")}
	}
	return host.Result{Stdout: []byte("end\n")}
}

// stays has a pod whose node is dead only be asked to go: nobody is there to say that
// it has, unless it is given no time. The lock is held.
func (a *api) stays(key string, body []byte) bool {
	have := a.objects[pods][key]
	spec, _ := have["spec"].(object)
	name, _ := spec["nodeName"].(string)
	h := a.fleet.Host(name)
	options, _ := decode(body)
	if nested, ok := options["deleteOptions"].(object); ok {
		options = nested
	}
	if grace := options["gracePeriodSeconds"]; h == nil || !h.dead.Load() || grace != nil && fmt.Sprint(grace) == "0" {
		return false
	}
	kept, meta := maps.Clone(have), maps.Clone(metadata(have))
	meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = "2020-01-01T00:00:00Z", 30
	kept["metadata"] = meta
	a.objects[pods][key] = kept
	return true
}

// onNode reports whether an object is one that a list asks for.
func onNode(o object, selector string) bool {
	_, node, asked := strings.Cut(selector, "spec.nodeName=")
	if !asked {
		return true
	}
	spec, _ := o["spec"].(object)
	return spec["nodeName"] == node
}

// evict asks a pod to go. The lock is held.
func (a *api) evict(k kind, key string, body []byte) (int, any) {
	have := a.objects[k][key]
	if have == nil {
		return failure(http.StatusNotFound, "NotFound", key)
	}
	labels, _ := metadata(have)["labels"].(object)
	for _, name := range slices.Sorted(maps.Keys(a.objects[budgets])) {
		b := a.objects[budgets][name]
		spec, _ := b["spec"].(object)
		selector, _ := spec["selector"].(object)
		match, _ := selector["matchLabels"].(object)
		status, _ := b["status"].(object)
		if metadata(b)["namespace"] == metadata(have)["namespace"] && match["app"] == labels["app"] && status["disruptionsAllowed"] == 0 {
			code, answer := failure(http.StatusTooManyRequests, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
			answer.(object)["details"] = object{"causes": []any{object{"reason": "DisruptionBudget",
				"message": fmt.Sprintf("The disruption budget %s needs 1 healthy pods and has 1 currently", metadata(b)["name"])}}}
			return code, answer
		}
	}
	if !a.stays(key, body) {
		a.remove(k, key)
	}
	return http.StatusCreated, object{"kind": "Status", "apiVersion": "v1", "status": "Success"}
}

// remove takes an object away, and what follows from that: a ReplicaSet makes its pod
// again. The lock is held.
func (a *api) remove(k kind, key string) {
	have := a.objects[k][key]
	meta := maps.Clone(metadata(have))
	if meta["finalizers"] != nil {
		meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = "2020-01-01T00:00:00Z", 0
		kept := maps.Clone(have)
		kept["metadata"] = meta
		a.objects[k][key] = kept
		return
	}
	delete(a.objects[k], key)
	if h := a.fleet.Host(strings.TrimPrefix(key, "/")); k == nodes && h != nil {
		h.wiped.Store(false)
	}
	if owners, _ := meta["ownerReferences"].([]any); k == pods && len(owners) > 0 {
		a.again(have, owners[0].(object)["name"].(string))
	}
}

// again makes a pod anew, on the first node that takes it.
func (a *api) again(was object, set string) {
	spec, _ := was["spec"].(object)
	for _, h := range a.fleet.Hosts {
		node := a.objects[nodes]["/"+h.Name]
		of, _ := node["spec"].(object)
		if h.Master || node == nil || !h.joined.Load() || of["unschedulable"] == true || spec["nodeName"] == h.Name {
			continue
		}
		namespace, _ := metadata(was)["namespace"].(string)
		a.run(Pod{Namespace: namespace, Name: metadata(was)["name"].(string) + "-again", Node: h.Name, Set: set})
		return
	}
}

// traces plays the look for what drover made.
func traces(s *hosttest.State, bare hosttest.State) host.Result {
	var out strings.Builder
	out.WriteString("\n@@drover-reset@@\n")
	for _, name := range slices.Sorted(maps.Keys(s.Units)) {
		if !ofPuppet(name) {
			fmt.Fprintln(&out, "unit", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		_, before := bare.Files[name]
		switch {
		case before || s.Files[name].Kind == hosttest.Directory || ofPuppet(name):
		case hosttest.OfLock(name):
			fmt.Fprintln(&out, "lock", name)
		default:
			fmt.Fprintln(&out, "file", name)
		}
	}
	out.WriteString("end\n")
	return host.Result{Stdout: []byte(out.String())}
}

// ends has a host serve the cluster no more.
func (h *Host) ends() {
	h.serves.Store(false)
	h.etcdRuns.Store(false)
	if h.Master {
		go h.fleet.api.forget(h.Address) // what still is asked there is cut off
	}
}

// retire plays the end of a master's API server and what is beside it.
func (h *Host) retire(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) < 4 || c.Argv[2] != membership+"/started" {
		return notPlayed(c)
	}
	running := ""
	for _, name := range c.Argv[3:] {
		_, noted := s.Files[c.Argv[2]+"/"+name+".drover"]
		if u := s.Units[name]; noted && u.Active {
			running += " " + name
			if c.Argv[1] == "stop" {
				u.Active = false
				s.Units[name] = u
				h.serves.Store(false)
			}
		}
	}
	return host.Result{Stdout: []byte(running + " end\n")}
}

// wipe plays its removal.
func (h *Host) wipe(s *hosttest.State, bare hosttest.State) host.Result {
	maps.DeleteFunc(s.Files, func(name string, _ hosttest.File) bool {
		_, before := bare.Files[name]
		return !before && !hosttest.OfLock(name) && name != membership && !ofPuppet(name)
	})
	maps.DeleteFunc(s.Units, func(name string, _ hosttest.Unit) bool { return !ofPuppet(name) })
	if h.joined.Swap(false) {
		h.wiped.Store(true)
	}
	h.ends()
	return host.Result{}
}

// Clear takes away whatever pods, sets and budgets Run and Budget have made.
func (f *Fleet) Clear() {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	delete(f.api.objects, pods)
	delete(f.api.objects, sets)
	maps.DeleteFunc(f.api.objects[budgets], func(_ string, o object) bool { return metadata(o)["managedFields"] == nil })
}
