package fleetbench

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// A machine that died has another in its place, at its address: what the cluster had of
// the one before goes, and the new one joins; no other host is asked.
func TestNodeReplacedAtItsAddress(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	end, uid := f.End(), f.UID("Node", "kube-node-2")
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web", EmptyDir: true})
	f.Replace("kube-node-2")
	f.Forget()
	before := dumps(f)
	says(t, said(t, f, 2, "plan", "--replace", "kube-node-2"), "~ cordon:kube-node-2", "~ drain:kube-node-2: pods is web/web-a, not none",
		"- former-node:kube-node-2", "- blocks:kube-node-2", "+ node:kube-node-2", "+ kubelet:join", "+ block:kube-node-2",
		"the machine that was kube-node-2 is not reset (another is at 10.64.1.2): see that it does not come back with its disk")
	if dumps(f) != before {
		t.Error("a plan has changed something")
	}
	f.Forget()
	out := said(t, f, 0, "node", "replace", "kube-node-2", "--auto-approve")
	says(t, out, "cluster/former-node:kube-node-2  deleted", "cluster/blocks:kube-node-2  deleted", "cluster/node:kube-node-2  created", "cluster/block:kube-node-2  created")
	if got := asked(f); got != "kube-master-1 kube-node-2" {
		t.Errorf("asked %s", got)
	}
	if is := f.UID("Node", "kube-node-2"); is == uid || is == "" {
		t.Errorf("its Node is %q, and was %q", is, uid)
	}
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": ""})
	if f.Pods()["web/web-a-again"] == "" {
		t.Errorf("pods: %v", f.Pods())
	}
	inSync(t, f)
	says(t, said(t, f, 0, "node", "replace", "kube-node-2"), "kube-node-2 is not replaced: its machine is the member that the cluster knows", "nothing to do")
	f.Clear()
	if d := cmp.Diff(strings.Split(end, "\n"), strings.Split(f.End(), "\n")); d != "" {
		t.Errorf("another end than before:\n%s", d)
	}
}

// A machine that lives is drained and reset where it is before another, elsewhere, has
// its name; several go one after the other.
func TestNodesReplacedElsewhere(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.Run(
		fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"},
		fleettest.Pod{Namespace: "web", Name: "web-b", Node: "kube-node-3", Set: "web"},
	)
	olds := []*fleettest.Host{f.Supplant("kube-node-2", "10.64.9.2"), f.Supplant("kube-node-3", "10.64.9.3")}
	// An apply takes neither for what it is not.
	says(t, said(t, f, 65, "apply", "--auto-approve"), "is not the kube-node-2 that the cluster knows, which is at 10.64.1.2", "drover node replace kube-node-3")
	out := said(t, f, 0, "node", "replace", "kube-node-2", "kube-node-3", "--auto-approve")
	says(t, out, "kube-node-2@10.64.1.2/reset:drover  deleted", "kube-node-3@10.64.1.3/reset:drover  deleted")
	for _, h := range olds {
		for name := range h.Machine.State().Files {
			if strings.HasPrefix(name, "/etc/kubernetes/") || strings.HasPrefix(name, "/opt/drover") || strings.HasPrefix(name, "/var/lib/drover") {
				t.Errorf("%s at %s still has %s", h.Name, h.Address, name)
			}
		}
	}
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": ""})
	for _, name := range []string{"kube-node-2", "kube-node-3"} {
		reset, drained := strings.Index(out, name+"@10.64.1."+name[len(name)-1:]+"/reset:drover  deleted"), strings.Index(out, "cluster/drain:"+name+"  updated")
		made, gone := strings.Index(out, "cluster/node:"+name+"  created"), strings.Index(out, "cluster/former-node:"+name+"  deleted")
		if drained < 0 || drained > reset || reset > gone || gone > made {
			t.Errorf("the order is not that of draining, reset, Node gone and new Node:\n%s", out)
		}
	}
	inSync(t, f)
}

// A dead machine that the cluster knows elsewhere takes a word for it; one that is heard
// of and cannot be reached does not become two.
func TestReplacementRefuses(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-2", Set: "db"})
	old := f.Supplant("kube-node-2", "10.64.9.2")
	begin := f.Save()
	refuses := func(exit int, want string, more ...string) {
		t.Helper()
		before := dumps(f)
		says(t, said(t, f, exit, append([]string{"node", "replace", "kube-node-2", "--auto-approve"}, more...)...), want)
		if dumps(f) != before {
			t.Error("something was changed")
		}
	}
	f.Budget("db", "keep", "db", 0)
	refuses(1, "PodDisruptionBudget db/keep allows none of its 1 pods to be missing")
	f.Restore(begin)
	old.Server.Vanish(true)
	refuses(69, "kube-node-2@10.64.1.2 cannot be reached")
	refuses(1, "the cluster still hears of kube-node-2, at 10.64.1.2, and drover cannot reach it there", "--unreachable")
	old.Server.Vanish(false)
	f.Host("kube-node-2").Server.Vanish(true)
	refuses(69, "the machine that is to take kube-node-2's place could not be reached")
	f.Host("kube-node-2").Server.Vanish(false)
	put(t, f.Host("kube-node-2"), "/var/lib/kubelet/pki/kubelet-client-current.pem")
	refuses(65, "the machine at 10.64.9.2 is to take kube-node-2's place, and holds the credentials of a kubelet")
	f.Restore(begin)
	// Somebody else's machine may have the address by now.
	old.Machine.Edit(func(s *hosttest.State) { delete(s.Files, "/var/lib/drover/cluster.drover") })
	f.Host("kube-node-2").Machine.Edit(func(*hosttest.State) {})
	refuses(64, `the inventory has no host "kube-node-7"`, "kube-node-7")
	refuses(64, "kube-master-1 is a master, and masters are replaced one at a time", "kube-master-1")
	said(t, f, 0, "node", "replace", "kube-node-2", "--auto-approve") // the note is the last that a reset takes
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}

func TestDeadNodeReplacedElsewhere(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1}) // nor is there room on others
	f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-1", Set: "db", CPU: "3", EmptyDir: true})
	f.PowerOff("kube-node-1")
	f.Supplant("kube-node-1", "10.64.9.1")
	says(t, said(t, f, 69, "node", "replace", "kube-node-1", "--auto-approve"), "not replaced, and nothing was touched:", "kube-node-1@10.64.1.1 cannot be reached", "--unreachable does so all the same")
	says(t, said(t, f, 0, "node", "replace", "kube-node-1", "--auto-approve", "--unreachable"), "the machine that was kube-node-1 is not reset", "see that it does not come back with its disk")
	still(t, f, map[string]string{"kube-node-1": ""})
	inSync(t, f)
}

// A run that is killed at any write to the API goes on when it is run again, and ends as
// if it had not been.
func TestKilledWhileANodeIsReplaced(t *testing.T) {
	t.Parallel()
	command := []string{"node", "replace", "kube-node-2", "--auto-approve", "--lock-wait", "1m"}
	for name, replace := range map[string]func(*fleettest.Fleet){
		"at its address": func(f *fleettest.Fleet) { f.Replace("kube-node-2") },
		"elsewhere":      func(f *fleettest.Fleet) { f.Supplant("kube-node-2", "10.64.9.2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
			replace(f)
			if name == "elsewhere" { // that who is away is dead takes half a minute to see, each time
				f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"})
			}
			begin := f.Save()
			f.Restore(begin)
			said(t, f, 0, command...)
			end, writes := f.End(), f.Writes()
			for n := 1; n <= writes; n++ {
				f.Restore(begin)
				c := f.Command(drover, command...)
				running, struck := make(chan *os.Process, 1), false
				f.InjectWrite(hosttest.Fault{N: n, Do: hosttest.Cut, When: []hosttest.Moment{hosttest.Before, hosttest.After}[n%2], Struck: func() {
					struck = true
					_ = (<-running).Kill()
				}})
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				running <- c.Process
				if err := c.Wait(); err == nil || !struck {
					t.Fatalf("%d: it was not killed: %v", n, err)
				}
				f.Mend()
				said(t, f, 0, command...)
				if d := cmp.Diff(strings.Split(end, "\n"), strings.Split(f.End(), "\n")); d != "" {
					t.Errorf("killed at write %d it has another end than undisturbed:\n%s", n, d)
				}
				inSync(t, f)
			}
			t.Log(fmt.Sprint(writes, " writes"))
		})
	}
}

// Pods that a run has left which was killed between the Node and its pods are not the
// new machine's to run.
func TestNothingOfTheMachineBeforeIsLeft(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Replace("kube-node-2")
	command := []string{"node", "replace", "kube-node-2", "--auto-approve", "--lock-wait", "1m"}
	c := f.Command(drover, command...)
	running := make(chan *os.Process, 1)
	f.InjectWrite(hosttest.Fault{Match: "DELETE /api/v1/nodes/kube-node-2", Do: hosttest.Cut, When: hosttest.After, Struck: func() { _ = (<-running).Kill() }})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	_ = c.Wait() // it was killed
	f.Mend()
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"})
	out := said(t, f, 0, command...)
	buried, made := strings.Index(out, "cluster/former-node:kube-node-2  deleted"), strings.Index(out, "cluster/node:kube-node-2  created")
	if buried < 0 || made < buried || f.Pods()["web/web-a"] != "" {
		t.Errorf("pods %v are there:\n%s", f.Pods(), out)
	}
	inSync(t, f)
}

// When what runs on two nodes has room on the others for one of them only, they are
// replaced one after the other: the second is in service until the first is again.
func TestNodesReplacedInWaves(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.Run(
		fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web", CPU: "3"},
		fleettest.Pod{Namespace: "web", Name: "web-b", Node: "kube-node-3", Set: "web", CPU: "3"},
	)
	f.Supplant("kube-node-2", "10.64.9.2")
	f.Supplant("kube-node-3", "10.64.9.3")
	shown := said(t, f, 2, "plan", "--replace", "kube-node-2", "--replace", "kube-node-3")
	if strings.Contains(shown, "would refuse") {
		t.Errorf("it is told that it would be refused:\n%s", shown)
	}
	out := said(t, f, 0, "node", "replace", "kube-node-2", "kube-node-3", "--auto-approve")
	says(t, out, "wave 1 of 2: kube-node-2", "wave 2 of 2: kube-node-3")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": ""})
	first, second := strings.Index(out, "cluster/node:kube-node-2  created"), strings.Index(out, "cluster/cordon:kube-node-3  updated")
	if first < 0 || second < first {
		t.Errorf("the second was cordoned before the first was back:\n%s", out)
	}
	inSync(t, f)
}

// Where what runs on one of them has room nowhere else, none is touched.
func TestNodesWithoutRoomAreNotReplaced(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	for _, node := range []string{"kube-node-1", "kube-node-2", "kube-node-3"} {
		f.Run(fleettest.Pod{Namespace: "web", Name: "web-on-" + node, Node: node, Set: "web", CPU: "3"})
	}
	f.Supplant("kube-node-2", "10.64.9.2")
	f.Supplant("kube-node-3", "10.64.9.3")
	says(t, said(t, f, 1, "node", "replace", "kube-node-2", "kube-node-3", "--auto-approve"), "would find no room: web/web-on-kube-node-2", "--without-room")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": ""})
}
