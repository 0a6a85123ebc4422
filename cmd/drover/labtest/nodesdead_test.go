package labtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// deadGoes: the plug is pulled, and what ran there runs elsewhere.
func (v *visits) deadGoes(t *testing.T) {
	v.deploy(t, 6, 6) // a budget is nothing to the dead
	v.Must(t, "power", "kill", guest)
	if r := v.drover(t, "node", "remove", guest, "--auto-approve"); r.Code != 69 || !strings.Contains(r.Stderr, "--unreachable") {
		t.Errorf("want exit 69 and the flag: %s", r)
	}
	labkit.Await(t, 2*time.Minute, "the cluster to see that it is dead", func() error { return v.nodesReadyWithout(t, guest) })
	v.drive(t, "node", "remove", guest, "--auto-approve", "--unreachable")
	v.nothingOf(t, guest)
	v.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s", "--request-timeout=70s")
}

// deadComesBack: its kubelet runs, with all it had, and comes into nothing.
func (v *visits) deadComesBack(t *testing.T) {
	v.Must(t, "power", "on", guest)
	labkit.Await(t, 2*time.Minute, "its kubelet to be told that it has no Node", func() error {
		_, err := v.try(t.Context(), guest, "systemctl is-active kubelet && journalctl -b -u kubelet | grep -i 'node.*"+guest+".*not found'")
		return err
	})
	// Long enough for all that tries again to have tried.
	for range 6 {
		v.nothingOf(t, guest)
		if out, err := v.try(t.Context(), guest, "pgrep -x bird || true"); err != nil || out != "" {
			t.Errorf("BIRD runs there: %q, %v", out, err)
		}
		time.Sleep(5 * time.Second)
	}
}

// comesAnew: the machine that came into nothing becomes a node by being added. A run
// that is killed is ended by the same command.
func (v *visits) comesAnew(t *testing.T) {
	v.killedOnTheWay(t, 12, "node", "add", guest, "--auto-approve") // what its machine had is still there
	v.added(t, guest)
	v.serve(t)
	soon(v.clientsReachPods)(t)
	v.inSync(t)
}

// deadReplaced: the plug is pulled and the machine thrown away; from when drover has
// taken it out of the cluster, nobody notices how a new one, empty, takes its place. A run
// that is killed on the way is ended by the same command.
func (v *visits) deadReplaced(t *testing.T) {
	v.deploy(t, 6, 4)
	v.Must(t, "power", "kill", guest)
	if err := os.RemoveAll(filepath.Join(stateDir, v.Name, "machines", guest)); err != nil {
		t.Fatal(err)
	}
	full := v.shape
	machines := full
	machines.Missing = nil
	v.set(t, machines)
	if r := v.Run(t, "up", v.path()); r.Code != 0 {
		t.Fatal(r)
	}
	full.KnownHosts = v.knownAtAddresses(t, guest) // it has another key
	v.set(t, full)
	labkit.Await(t, 2*time.Minute, "the cluster to see that it is dead", func() error { return v.nodesReadyWithout(t, guest) })
	// The routers keep a dead node's routes for as long as graceful restart lets them: until
	// drover has seen them gone, clients are led to nobody.
	v.killedAt(t, "done cluster/former-node:"+guest, "node", "replace", guest, "--auto-approve")
	end := v.load(t)
	v.drive(t, "node", "replace", guest, "--auto-approve")
	end(t)
	now(v.nodesReady)(t)
	now(v.routesHeld)(t)
	v.serve(t)
	soon(v.clientsReachPods)(t)
	v.inSync(t)
}
