package desired

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// needsOf is what each thing of a plan needs, at any remove.
type needsOf map[plan.ID]map[plan.ID]bool

func (n needsOf) has(t *testing.T, id, need plan.ID, want bool) {
	t.Helper()
	if n[id] == nil {
		t.Errorf("%s is not planned", id)
	}
	if n[need] == nil {
		t.Errorf("%s is not planned", need)
	}
	if n[id][need] != want {
		t.Errorf("%s needs %s: %v", id, need, n[id][need])
	}
}

func planJoining(t *testing.T, joining ...Joiner) needsOf {
	t.Helper()
	return planNeeds(t, Inputs{Joining: joining})
}

func planNeeds(t *testing.T, in Inputs) needsOf {
	t.Helper()
	c, problems := inventory.Load("../../../examples/lab")
	if c == nil {
		t.Fatal(problems)
	}
	lock := artifact.Lock{Files: map[string]string{}}
	for _, r := range artifact.All(c) {
		lock.Files[r.Path] = "sha256:" + strings.Repeat("0", 64)
	}
	bundle, err := trust.Generate(noon)
	if err != nil {
		t.Fatal(err)
	}
	in.Cluster, in.Lock, in.Bundle, in.CalicoManifest = c, lock, bundle, manifest(t)
	in.NewCluster, in.Away = func() bool { return false }, func(string) bool { return false }
	rs, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	all := needsOf{}
	for _, c := range planOf(t, rs).Changes { // in an order in which each comes after what it needs
		if strings.HasPrefix(c.ID.What(), "etcd-member:") && c.Action != plan.Delete {
			t.Errorf("%s is to be %s", c.ID, c.Action)
		}
		all[c.ID] = map[plan.ID]bool{}
		for _, need := range slices.Concat(c.Needs, c.Triggers) {
			all[c.ID][need] = true
			for further := range all[need] {
				all[c.ID][further] = true
			}
		}
	}
	return all
}

// One master joins after the other, each after a snapshot and when it can start; and
// nothing that there is waits for them.
func TestMastersJoinOneAfterTheOther(t *testing.T) {
	n := planJoining(t, Joiner{Name: "kube-master-2"}, Joiner{Name: "kube-master-3"})
	for _, m := range []string{"kube-master-2", "kube-master-3"} {
		learner, vote := plan.ID("cluster/etcd-learner:"+m), plan.ID("cluster/etcd-vote:"+m)
		unit, api := plan.ID(m+"/unit:etcd.service"), plan.ID(m+"/unit:kube-apiserver.service")
		for _, need := range []plan.ID{
			plan.ID("cluster/etcd-snapshot:before " + m), plan.ID(m + "/artifact:etcd"), plan.ID(m + "/certificate:etcd/peer"),
			plan.ID(m + "/file:/etc/systemd/system/etcd.service"), plan.ID(m + "/dir:/var/lib/etcd"), plan.ID(m + "/file:/etc/kubernetes/pki/bundle.drover"),
		} {
			n.has(t, learner, need, true)
		}
		n.has(t, plan.ID(m+"/etcd:beginning"), learner, true)
		n.has(t, unit, plan.ID(m+"/etcd:beginning"), true)
		n.has(t, vote, unit, true)
		n.has(t, plan.ID(m+"/membership:lab"), vote, true)
		n.has(t, api, vote, true)
		n.has(t, api, plan.ID(m+"/membership:lab"), true)
		for _, there := range []plan.ID{
			"cluster/ready:etcd", "cluster/ready:api", "kube-master-1/unit:etcd.service", "kube-master-1/unit:kube-apiserver.service",
			"kube-node-1/unit:kubelet.service", "kube-node-1/unit:drover-haproxy.service", "kube-node-1/kubelet:joined",
		} {
			n.has(t, there, vote, false)
			n.has(t, there, unit, false)
		}
	}
	n.has(t, "cluster/etcd-snapshot:before kube-master-3", "cluster/etcd-vote:kube-master-2", true)
	n.has(t, "kube-master-2/unit:kube-apiserver.service", "cluster/etcd-vote:kube-master-3", false)
	n.has(t, "cluster/ready:nodes", "kube-master-3/kubelet:joined", true)
}

// What a machine was before goes after a snapshot and before another joins.
func TestTheFormerMachineGoesFirst(t *testing.T) {
	const former, node = "cluster/etcd-member:kube-master-1 00000000000000ab", "cluster/former-node:kube-master-1"
	n := planJoining(t, Joiner{Name: "kube-master-1", Former: &etcd.Member{ID: 0xab, Name: "kube-master-1"}, FormerNode: "uid"})
	n.has(t, node, "cluster/etcd-snapshot:before kube-master-1", true)
	n.has(t, former, node, true)
	n.has(t, former, "kube-master-1/artifact:etcd", true) // not before the new one can start
	n.has(t, "cluster/etcd-learner:kube-master-1", former, true)
	n.has(t, "cluster/node:kube-master-1", node, true)
	n.has(t, "kube-master-1/kubelet:join", former, true)
	n.has(t, "cluster/node:kube-master-2", node, false)
}

// A learner that never started, and never will, goes once, before anybody joins.
func TestStraysGoFirst(t *testing.T) {
	n := planNeeds(t, Inputs{Joining: []Joiner{{Name: "kube-master-2"}, {Name: "kube-master-3"}},
		Strays: []etcd.Member{{ID: 0xab, Learner: true, PeerURLs: []string{"https://10.90.0.99:2380"}}}})
	const stray = "cluster/etcd-member:10.90.0.99 00000000000000ab"
	n.has(t, stray, "cluster/etcd-snapshot:before kube-master-2", true)
	n.has(t, "cluster/etcd-learner:kube-master-2", stray, true)
	n.has(t, "cluster/etcd-snapshot:before kube-master-3", stray, true)
}

// Who takes a kube-node's place has its Node when nothing is left of the one before, and
// joins only then; a block that is there proves nothing of it.
func TestNodeAfterTheFormer(t *testing.T) {
	const gone = plan.ID("kube-node-2/kubelet:joined") // nothing else makes them wait for that
	in := Inputs{Former: map[string]Former{"kube-node-1": {UID: "u", Gone: []plan.ID{gone}}}}
	n := planNeeds(t, in)
	n.has(t, "cluster/node:kube-node-1", gone, true)
	n.has(t, "kube-node-1/kubelet:join", gone, true)
	step := newBuilder(Inputs{Former: in.Former}).block(inventory.Host{Name: "kube-node-1"}, nil)
	if state, err := step.Look(t.Context(), resource.Seen{}); state != nil || err != nil {
		t.Errorf("it is proven by %v, %v", state, err)
	}
}

// Without masters that join, nothing of all this is planned.
func TestNobodyJoins(t *testing.T) {
	var words []string
	for id := range planJoining(t) {
		for _, kind := range []string{"etcd-snapshot", "etcd-learner", "etcd-vote", "etcd-member", "former-node"} {
			if strings.HasPrefix(id.What(), kind+":") {
				words = append(words, string(id))
			}
		}
	}
	if diff := cmp.Diff([]string(nil), words); diff != "" {
		t.Error(diff)
	}
}
