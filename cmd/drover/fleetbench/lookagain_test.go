package fleetbench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// topClaim is a master's claim of the fleet's lock of the highest epoch.
func topClaim(s *hosttest.State) (file string, epoch int) {
	for name := range s.Files {
		var n int
		if _, err := fmt.Sscanf(name, "/var/lib/drover/lock/%d.drover", &n); err == nil && n > epoch {
			file, epoch = name, n
		}
	}
	return file, epoch
}

// heldSince adds the claim of a run that has held the fleet's lock and given it back.
func heldSince(s *hosttest.State) {
	file, epoch := topClaim(s)
	claim := s.Files[file]
	claim.Content += "\nreleased=1\n"
	s.Files[fmt.Sprintf("/var/lib/drover/lock/%d.drover", epoch+1)] = claim
}

// heldBeforeTaken has something happen under somebody else's lock between a drover's look
// and when it takes the lock.
func heldBeforeTaken(f *fleettest.Fleet, what func()) {
	first := true
	f.Host("kube-master-1").Machine.Precede("drover-lock", func(s *hosttest.State, c hosttest.Call) {
		if first && c.Argv[1] == "take" {
			first = false
			heldSince(s)
			what()
		}
	})
}

// notGivenBack has masters not have heard that the last run gave the lock back. It has
// ended, and was on this machine.
func notGivenBack(t *testing.T, f *fleettest.Fleet, masters ...string) {
	t.Helper()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	lease := fmt.Sprintf("ttl=3600\nboot=%s\ngranted=0\nuntil=99999999999", strings.TrimSpace(string(boot)))
	for _, name := range masters {
		f.Host(name).Machine.Edit(func(s *hosttest.State) {
			file, _ := topClaim(s)
			claim := s.Files[file]
			claim.Content = strings.Replace(claim.Content, "released=1", lease, 1)
			s.Files[file] = claim
		})
	}
}

// A run that was killed while it gave the lock back has given it back on some masters and
// holds it on others. Who comes after it is asked all the same, and looks for what is in
// the way.
func TestALockHalfGivenBack(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
	notGivenBack(t, f, "kube-master-1", "kube-master-3")
	out := said(t, f, 1, "node", "remove", "kube-node-2")
	says(t, out, "another run is at work", "Only its name is taken for a yes", "not applied: the answer was not the cluster's name")
	if f.Nodes()["kube-node-2"] != "" || len(f.Nodes()) != 5 {
		t.Errorf("Nodes: %v", f.Nodes())
	}
}

// What came to be in the way while somebody else had the lock is in the way.
func TestWhatIsInTheWaySinceTheLook(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-1", Set: "db"})
	heldBeforeTaken(f, func() { f.Budget("db", "keep", "db", 0) })
	says(t, said(t, f, 1, "node", "drain", "kube-node-1", "--auto-approve", "--timeout", "5s"), "not drained, and nothing was touched:", "db/keep")
	if f.Nodes()["kube-node-1"] != "" {
		t.Errorf("Nodes: %v", f.Nodes())
	}
}

// Who has said yes is not asked again for the same.
func TestOneQuestionWhileOthersHoldTheLock(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	heldBeforeTaken(f, func() {})
	c := f.Command(drover, "node", "drain", "kube-node-1")
	c.Stdin = strings.NewReader("fleet\n")
	out, err := c.CombinedOutput()
	if n := strings.Count(string(out), "Only its name"); err != nil || n != 1 {
		t.Errorf("%v, asked %d times:\n%s", err, n, out)
	}
}

// While somebody is asked the lock is free. When nobody else had it meanwhile, all is as
// it was, and is not looked at once more.
func TestOwnLockGivenBackForAQuestion(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	notGivenBack(t, f, "kube-master-1")
	surveys := 0
	f.Host("kube-node-1").Machine.Precede("# drover survey", func(*hosttest.State, hosttest.Call) { surveys++ })
	c := f.Command(drover, "apply")
	c.Stdin = strings.NewReader("fleet\n")
	out, err := c.CombinedOutput()
	if err != nil || surveys != 1 {
		t.Errorf("%v, looked %d times for what is in the way:\n%s", err, surveys, out)
	}
	says(t, string(out), "another run is at work", "done: ")
}

// A host that is away when it is looked again under the lock is told of, and why.
func TestAHostThatIsAwaySinceTheLook(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	heldBeforeTaken(f, func() { f.PowerOff("kube-node-2") })
	out := said(t, f, 69, "apply", "--auto-approve")
	says(t, out, "this is what there is to do now", "kube-node-2 is left out: ")
	if n := strings.Count(out, "kube-node-2 is left out: "); n != 1 {
		t.Errorf("it says so %d times:\n%s", n, out)
	}
}

// So is what that makes of what is to be done: a node that is removed without being reset.
func TestAWarningOfTheSecondLook(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.DropKnown("kube-node-2")
	heldBeforeTaken(f, func() { f.PowerOff("kube-node-2") })
	out := said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable")
	says(t, out, "this is what there is to do now", "kube-node-2 is removed without being reset")
}

// What another run is at makes no saved plan another than what there is to do.
func TestASavedPlanWhileAnotherIsAtWork(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	saved := filepath.Join(t.TempDir(), "plan.json")
	said(t, f, 2, "plan", "--out", saved)
	notGivenBack(t, f, "kube-master-1")
	const name = "/etc/sysctl.d/99-zz-drover.conf"
	node := f.Host("kube-node-1").Machine
	was := node.State().Files[name]
	node.Edit(func(s *hosttest.State) {
		half := was
		half.Content = "half"
		s.Files[name] = half
	})
	f.Host("kube-master-1").Machine.Precede("drover-lock", func(_ *hosttest.State, c hosttest.Call) {
		if c.Argv[1] == "take" {
			node.Edit(func(s *hosttest.State) { s.Files[name] = was })
		}
	})
	says(t, said(t, f, 0, "apply", saved), "another run is at work", "done: ")
	// Where nobody else is, it is another.
	says(t, said(t, f, 1, "apply", saved), "is not what there is to do now, so nothing was touched")
}

// A reset that would cost etcd its quorum by now is refused before anything is begun.
func TestAResetThatCostsTheQuorumSinceTheLook(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	heldBeforeTaken(f, func() { f.StopEtcd("kube-master-2") })
	out := said(t, f, 1, "reset", "kube-master-3", "--confirm=fleet")
	says(t, out, "not reset: etcd would lose its quorum")
	saysNot(t, out, "a snapshot of etcd is kept")
}

// What a reset does on a master that it has reached at its second look only is under the
// lock as all else is.
func TestAMasterThatIsBackSinceTheLook(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	back, other := f.Host("kube-master-1"), f.Host("kube-master-2").Machine
	back.Server.Vanish(true)
	other.Inject(hosttest.Fault{Match: "drover-etcd-snapshot", Do: hosttest.Fail})
	first := true
	other.Precede("drover-lock", func(s *hosttest.State, c hosttest.Call) {
		if first && c.Argv[1] == "take" {
			first = false
			heldSince(s)
			back.Server.Vanish(false)
		}
	})
	says(t, said(t, f, 0, "reset", "kube-master-3", "--confirm=fleet"), "a snapshot of etcd is kept on kube-master-1")
	for _, op := range back.Machine.Ops() {
		if op.Argv[0] == "drover-etcd-snapshot" && !strings.Contains(op.Line, " drover-guard ") {
			t.Errorf("under no lock: %s", op.Line)
		}
	}
}
