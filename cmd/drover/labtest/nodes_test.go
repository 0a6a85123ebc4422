package labtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// guest is the node that comes and goes, and spare another, which comes once. They are
// machines as well, and each is on the other's at first.
const guest, spare = "kube-node-2", "kube-node-3"

// Beside a master and a node that stay, nodes come, go, alive and dead, and get other
// machines. Clients behind both routers and one of the API notice nothing of it, and
// nothing of it is left. The steps go on from each other.
func TestNodesComeAndGo(t *testing.T) {
	all := shape{Masters: 1, Nodes: 3, Routers: 2}
	c := begin(t, nodesLab, all)
	v := &visits{cluster: c, r: rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 6))}
	all.KnownHosts = c.knownAtAddresses(t, guest, spare)
	v.both, v.elsewhere, v.full, v.alone = all, all, all, all
	v.both.At = map[string]string{guest: c.address(spare), spare: c.address(guest)}
	v.elsewhere.At, v.elsewhere.Missing = v.both.At, []string{spare}
	v.full.Missing = []string{spare}
	v.alone.Missing = []string{guest, spare}
	c.set(t, v.alone)
	c.bootstrap(t)
	v.bare, v.bareSpare = c.disk(t, guest), c.disk(t, spare)
	c.serve(t)
	v.before = c.known(t)
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"nobody notices", v.unnoticed},
		{"what fits is placed", v.fits},
		{"refusals", v.refused},
		{"a dead one goes", v.deadGoes},
		{"it is powered on again", v.deadComesBack},
		{"it comes anew", v.comesAnew},
		{"it dies and a new one takes its place", v.deadReplaced},
		{"one that the inventory lacks goes", v.unnamedGoes},
		{"what fits without it is placed", v.fits},
		{"again and again", v.again},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// visits are what is done with the guest: what is said of it in between, what its
// machines and the cluster were before, and where moments come from.
type visits struct {
	*cluster
	r *rand.Rand
	// Both nodes, each on the other's machine; the guest alone, there and on its own; none.
	both, elsewhere, full, alone shape
	bare, bareSpare              []string
	before                       map[string][]string
}

// unnoticed: two nodes come, one of them goes with pods on it, and the other one gets
// the machine of that, all under load.
func (v *visits) unnoticed(t *testing.T) {
	v.deploy(t, 6, 4)
	end := v.load(t)
	v.set(t, v.both)
	v.added(t, guest, spare)
	v.spread(t)
	v.goes(t, spare)
	v.set(t, v.elsewhere)
	v.isBare(t, guest, v.bare)
	v.replaced(t)
	v.isBare(t, spare, v.bareSpare)
	end(t)
	v.serve(t)
	soon(v.clientsReachPods)(t)
	v.inSync(t)
}

// added: what add promises is so at the moment it says done, not soon.
func (v *visits) added(t *testing.T, names ...string) {
	t.Helper()
	v.drive(t, append([]string{"node", "add", "--auto-approve"}, names...)...)
	now(v.nodesReady)(t)
	now(v.routesHeld)(t)
}

// goes is a node removed that serves.
func (v *visits) goes(t *testing.T, name string) {
	t.Helper()
	shown := v.drover(t, "plan", "--prune", name)
	if shown.Code != 2 || !strings.Contains(shown.Stdout, "drain:"+name+": pods is default/web-") || !strings.Contains(shown.Stdout, "- node:"+name) {
		t.Errorf("the plan does not show it: %s", shown)
	}
	v.drive(t, "node", "remove", name, "--auto-approve")
	v.nothingOf(t, name)
}

// replaced: the guest gets another machine, and is all that a node is that was added. A
// run that is killed is ended by the same command.
func (v *visits) replaced(t *testing.T) {
	t.Helper()
	from := v.at(guest)
	v.set(t, v.full)
	at := v.at(guest)
	uid := v.kubectl(t, "get", "node", guest, "-o", "jsonpath={.metadata.uid}")
	shown := v.drover(t, "plan", "--replace", guest)
	for _, want := range []string{"drain:" + guest + ": pods is default/web-", "- former-node:" + guest, "+ node:" + guest, guest + "@" + from, "- reset:drover"} {
		if shown.Code != 2 || !strings.Contains(shown.Stdout, want) {
			t.Errorf("the plan does not show %q: %s", want, shown)
		}
	}
	v.killedOnTheWay(t, 60, "node", "replace", guest, "--auto-approve")
	v.drive(t, "node", "replace", guest, "--auto-approve")
	got := v.kubectl(t, "get", "node", guest, "-o", `jsonpath={.metadata.uid} {.status.addresses[?(@.type=="InternalIP")].address}`)
	if is, address, _ := strings.Cut(got, " "); is == uid || address != at {
		t.Errorf("its Node is %s, and was %s; want it at %s", got, uid, at)
	}
	now(v.nodesReady)(t)
	blocks := v.blocks(t)[guest]
	if len(blocks) == 0 {
		t.Error("it has no block")
	}
	for _, router := range v.routers() {
		for prefix, hops := range v.routes(t, router) {
			if slices.Contains(hops, from) || slices.Contains(blocks, prefix) && !slices.Equal(hops, []string{at}) {
				t.Errorf("%s has a route to %s by way of %v", router, prefix, hops)
			}
		}
		if text := v.Must(t, "router", router, "show", "running-config"); strings.Contains(text, from+" ") || !strings.Contains(text, at+" ") {
			t.Errorf("%s does not know it by its new address alone:\n%s", router, text)
		}
	}
}

// killedOnTheWay kills drover at one of the first changes that it begins or ends.
func (v *visits) killedOnTheWay(t *testing.T, most int, args ...string) {
	t.Helper()
	left := 1 + v.r.IntN(most)
	at, ended := v.droverUntil(t, func(e event) bool {
		if e.Kind == "started" || e.Kind == "done" {
			left--
		}
		return left == 0
	}, kill, args...)
	if !v.told(t, at, ended) {
		return
	}
	t.Errorf("it was not killed: %s", ended)
}

// refused: each refusal names its reason and what does it all the same, and touches
// nothing.
func (v *visits) refused(t *testing.T) {
	v.deploy(t, 6, 6)
	var cores int
	if _, err := fmt.Sscan(v.kubectl(t, "get", "node", guest, "-o", "jsonpath={.status.allocatable.cpu}"), &cores); err != nil {
		t.Fatal(err)
	}
	large := v.web(t)
	large["resources"] = map[string]any{"requests": map[string]any{"cpu": fmt.Sprintf("%dm", 600*cores)}}
	v.kubectlIn(t, list(t, []any{deployment("large", 2, large)}), "apply", "-f", "-")
	v.kubectl(t, "rollout", "status", "deployment/large", "--timeout=60s", "--request-timeout=70s")
	r := v.drover(t, "node", "remove", guest, "--auto-approve")
	for _, want := range []string{
		"PodDisruptionBudget default/web allows none of its 6 pods to be missing (minAvailable 6)", "--disable-eviction",
		"no controller would make these pods again: default/on-" + guest, "--force",
		"these pods would find no room: default/large-", "--without-room",
	} {
		if r.Code != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("want exit 1 and %q: %s", want, r)
		}
	}
	for _, call := range []struct {
		code int
		says string
		args []string
	}{
		{1, `neither the inventory nor the cluster has a node "kube-node-7"`, []string{"node", "remove", "kube-node-7"}},
		{64, "kube-master-1", []string{"node", "remove", "kube-master-1"}},
		{1, "nothing would announce the services", []string{"node", "remove", "kube-node-1", guest, "--force", "--disable-eviction"}},
	} {
		if r := v.drover(t, append(call.args, "--auto-approve")...); r.Code != call.code || !strings.Contains(r.Stderr, call.says) {
			t.Errorf("want exit %d and %q: %s", call.code, call.says, r)
		}
	}
	v.kubectl(t, "delete", "deployment/large")
	now(v.nodesReady)(t)
	v.inSync(t)
}

// unnamedGoes: a missing fragment removes nobody, and the node is removed by its name
// alone, host and all. A run that is killed on the way is ended by the same command.
func (v *visits) unnamedGoes(t *testing.T) {
	v.set(t, v.alone)
	if r := v.drover(t, "apply", "--auto-approve"); r.Code != 0 || !strings.Contains(r.Stdout, "nothing to do") || !strings.Contains(r.Stderr, "`drover node remove "+guest+"` removes it") {
		t.Errorf("want nothing done, and to be told how: %s", r)
	}
	args := []string{"node", "remove", guest, "--auto-approve", "--force", "--disable-eviction"}
	v.killedAt(t, "done cluster/drain:"+guest, args...)
	v.drive(t, args...)
	v.nothingOf(t, guest)
	v.leftAsBefore(t)
}

func (v *visits) fits(t *testing.T) { v.roomIsWhatIsPlaced(t, v.r) }

// again: as often as it comes and goes, and wherever drover is killed, all is as before
// the first time.
func (v *visits) again(t *testing.T) {
	if !labkit.Soak() {
		t.Skip("the steps before were twice; ten times with DROVER_SOAK only")
	}
	for n := range 10 {
		v.set(t, v.full)
		v.killedOnTheWay(t, 70, "node", "add", guest, "--auto-approve")
		v.added(t, guest)
		v.deploy(t, 6, 4)
		args := []string{"node", "remove", guest, "--auto-approve"}
		v.killedOnTheWay(t, 12, args...)
		v.drive(t, args...)
		v.set(t, v.alone)
		v.nothingOf(t, guest)
		v.leftAsBefore(t)
		t.Logf("%d times", n+1)
	}
}

// leftAsBefore: the guest has left no trace, on its machine or in the cluster.
func (v *visits) leftAsBefore(t *testing.T) {
	t.Helper()
	v.isBare(t, guest, v.bare)
	v.leftNothing(t, v.before)
	v.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s", "--request-timeout=70s")
	v.inSync(t)
}

// spread has the pods of the web server made again, so that all nodes have some.
func (v *visits) spread(t *testing.T) {
	t.Helper()
	v.kubectl(t, "rollout", "restart", "deployment/web")
	v.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s", "--request-timeout=100s")
	labkit.Await(t, time.Minute, "every node to have some", func() error {
		at := v.kubectl(t, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")
		for _, node := range v.nodes() {
			if !strings.Contains(at, node) {
				return fmt.Errorf("%s has none: %s", node, at)
			}
		}
		return nil
	})
}
