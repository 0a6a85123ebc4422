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

// A removal of a host that the inventory does not name any more, killed at any write to
// the API, goes on when the same command is given again, and ends as if it had not been
// killed: nothing of the host is left in the cluster, and nothing of drover's on it.
func TestKilledWhileAnUnnamedHostIsRemoved(t *testing.T) {
	for name, conf := range map[string]fleettest.Config{
		"kube-node-2":   {Masters: 1, Nodes: 2},
		"kube-master-3": {Masters: 3, Nodes: 1},
		"kube-master-2": {Masters: 2, Nodes: 1}, // the lock needs its claim until the end
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t, conf)
			f.DropKnown(name)
			f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: name, Set: "web"})
			f.Ask(name)
			begin := f.Save()
			f.Restore(begin)
			command := []string{"node", "remove", name, "--auto-approve", "--lock-wait", "1m"}
			said(t, f, 0, command...)
			end, writes := f.End(), f.Writes()
			if strings.Contains(end, "CertificateSigningRequest") {
				t.Error("a request for a certificate is left")
			}
			says(t, said(t, f, 1, command...), "neither the inventory nor the cluster has a node")
			for n := 1; n <= writes; n++ {
				for _, when := range []hosttest.Moment{hosttest.Before, hosttest.After} {
					f.Restore(begin)
					killedAt(t, f, hosttest.Fault{N: n, When: when}, command...)
					before := f.Host(name).Server.Connections()
					out := said(t, f, 0, command...)
					if d := cmp.Diff(strings.Split(end, "\n"), strings.Split(f.End(), "\n")); d != "" {
						t.Errorf("killed %s write %d it has another end than undisturbed:\n%s\n%s", when, n, d, out)
					}
					if left := ofLock(f, name); left != "" {
						t.Errorf("killed %s write %d there is left on the host: %s\n%s", when, n, left, out)
					}
					if made := f.Host(name).Server.Connections() - before; made > 1 {
						t.Errorf("%d connections to it were made, where one does", made)
					}
				}
			}
			t.Log(fmt.Sprint(writes, " writes"))
		})
	}
}

// killedAt runs a drover that is killed at a request to the API.
func killedAt(t *testing.T, f *fleettest.Fleet, at hosttest.Fault, args ...string) {
	t.Helper()
	c := f.Command(drover, args...)
	running, struck := make(chan *os.Process, 1), false
	at.Do, at.Struck = hosttest.Cut, func() {
		struck = true
		_ = (<-running).Kill()
	}
	f.InjectWrite(at)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	if err := c.Wait(); err == nil || !struck {
		t.Fatalf("it was not killed: %v", err)
	}
	f.Mend()
}

// ofLock is what the fleet's lock has left on a host.
func ofLock(f *fleettest.Fleet, name string) string {
	var left []string
	for file := range f.Host(name).Machine.State().Files {
		if hosttest.OfLock(file) {
			left = append(left, file)
		}
	}
	return strings.Join(left, " ")
}

// Pods that are left of a node whose removal was killed when its Node had gone are buried,
// also when its machine is off, or nobody remembers where it was: there is nothing left to
// do on it. Who had reset it is not known then, which is told.
func TestWhatIsLeftOfAnUnnamedNodeGoes(t *testing.T) {
	t.Parallel()
	for why, away := range map[string]func(*fleettest.Fleet){
		"unreachable": func(f *fleettest.Fleet) { f.PowerOff("kube-node-2") },
		"at 10.64.1.2, where the cluster knows it, is kube-node-9 now": func(f *fleettest.Fleet) {
			f.Settings = "kube_node \"kube-node-9\" {\n  address = \"10.64.1.2\"\n}\n"
			f.Add(0)
		},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			whatIsLeft(t, why, away)
		})
	}
}

// forgetHistory has the masters remember no run.
func forgetHistory(f *fleettest.Fleet) {
	f.Host("kube-master-1").Machine.Edit(func(s *hosttest.State) {
		for _, name := range s.Below("/var/lib/drover/history") {
			delete(s.Files, name)
		}
	})
}

// When nobody remembers a run that was at it, somebody else took the Node away: what drover
// made on the host is not known to be gone.
func TestWhatOthersLeaveOfANodeIsNotTakenForReset(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.DropKnown("kube-node-2")
	command := []string{"node", "remove", "kube-node-2", "--auto-approve", "--lock-wait", "1m"}
	killedAt(t, f, hosttest.Fault{Match: "DELETE /api/v1/nodes/kube-node-2", When: hosttest.After}, command...)
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"})
	forgetHistory(f)
	for range 2 { // a run that was refused is not one that was at it
		says(t, said(t, f, 1, command...), "neither the inventory nor the cluster knows its address", "--unreachable")
	}
	says(t, said(t, f, 0, append(command, "--unreachable")...), "cluster/node:kube-node-2  deleted", "is removed without being reset")
}

func whatIsLeft(t *testing.T, why string, away func(*fleettest.Fleet)) {
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.DropKnown("kube-node-2")
	f.DropKnown("kube-node-3")
	command := []string{"node", "remove", "kube-node-2", "kube-node-3", "--auto-approve", "--lock-wait", "1m"}
	killedAt(t, f, hosttest.Fault{Match: "DELETE /api/v1/nodes/kube-node-2", When: hosttest.After}, command...)
	if left := ofLock(f, "kube-node-2"); left != "" {
		t.Errorf("its Node went before %s", left)
	}
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"})
	away(f)
	out := said(t, f, 0, command...)
	says(t, out, "cluster/node:kube-node-2  deleted", "kube-node-2 has no Node any more, and its machine was not looked at", why)
	if f.Pods()["web/web-a"] != "" {
		t.Errorf("pods: %v", f.Pods())
	}
	still(t, f, map[string]string{"kube-node-1": ""})
	says(t, said(t, f, 1, command...), `neither the inventory nor the cluster has a node "kube-node-2"`)
}

// A master whose machine was reset by a run that was stopped before its Node had gone is
// bare after the next one, too, which takes the fleet's lock there as well.
func TestMasterThatIsResetAlreadyStaysBare(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3})
	command := []string{"node", "remove", "kube-master-1", "--auto-approve", "--lock-wait", "1m"}
	c := f.Command(drover, command...)
	running := make(chan *os.Process, 1)
	f.InjectWrite(hosttest.Fault{Match: "DELETE /api/v1/nodes/kube-master-1", Do: hosttest.Fail, Struck: func() { _ = (<-running).Signal(os.Interrupt) }})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	if err := c.Wait(); err == nil {
		t.Fatal("it was not stopped")
	}
	if left := ofLock(f, "kube-master-1"); left != "" {
		t.Errorf("a run that was stopped has left %s", left)
	}
	f.Mend()
	says(t, said(t, f, 0, command...), "cluster/node:kube-master-1  deleted")
	if left := ofLock(f, "kube-master-1"); left != "" {
		t.Errorf("the next one has left %s", left)
	}
}
