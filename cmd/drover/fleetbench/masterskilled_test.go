package fleetbench

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
)

// A run that is killed at any change of etcd's members, of which it has not heard yet,
// goes on when it is run again, and ends as if it had not been.
func TestKilledAtAChangeOfMembers(t *testing.T) {
	t.Parallel()
	grow := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	apply(t, grow)
	grow.AddMasters(2)
	killedAtChanges(t, grow, 4, []string{"apply"}, []string{"apply"})

	replace := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, replace)
	replace.Replace("kube-master-1")
	command := []string{"node", "replace", "kube-master-1"}
	killedAtChanges(t, replace, 3, command, command)
	// From the moment the former member is gone an apply goes on as well.
	killedAtChanges(t, replace, 3, command, []string{"apply"})

	leave := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, leave)
	command = []string{"node", "remove", "kube-master-1", "kube-master-2"}
	killedAtChanges(t, leave, 2, command, command)
}

// killedAtChanges runs a command undisturbed, and then, for each change that it makes of
// etcd's members, killed there and followed by another.
func killedAtChanges(t *testing.T, f *fleettest.Fleet, changes int, command, next []string) {
	t.Helper()
	begin := f.Save()
	defer f.Restore(begin)
	run := func(args []string) (string, error) {
		out, err := f.Command(drover, append(args, "--auto-approve")...).CombinedOutput()
		return string(out), err
	}
	if out, err := run(command); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := f.EtcdChanges(); len(got) != changes {
		t.Fatalf("undisturbed, etcd's members were changed by %q, not by %d", got, changes)
	}
	end, members := f.End(), f.EtcdMembers()
	for n := 1; n <= changes; n++ {
		t.Run(fmt.Sprintf("%s, then %s/%d", command[0], next[0], n), func(t *testing.T) {
			f.Restore(begin)
			c := f.Command(drover, append(command, "--auto-approve")...)
			running, struck := make(chan *os.Process, 1), false
			f.StrikeEtcd(n, func() {
				struck = true
				_ = (<-running).Kill()
			})
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			running <- c.Process
			if err := c.Wait(); err == nil || !struck {
				t.Fatalf("it was not killed: %v", err)
			}
			if out, err := run(next); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := f.EtcdChanges(); len(got) != changes {
				t.Errorf("etcd's members were changed by %q", got)
			}
			if d := cmp.Diff(members, f.EtcdMembers()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(strings.Split(end, "\n"), strings.Split(f.End(), "\n")); d != "" {
				t.Errorf("another end than undisturbed:\n%s", d)
			}
			if out, err := run(next); err != nil || !strings.Contains(out, "nothing to do") {
				t.Errorf("it does not end: %v\n%s", err, out)
			}
		})
	}
}

// A learner whose machine never came stands in nobody's way: it goes before others join,
// which the plan shows, and with a reset of its machine.
func TestLearnerThatNeverStarted(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	apply(t, f)
	f.AddMasters(2)
	c := f.Command(drover, "apply", "--auto-approve")
	running := make(chan *os.Process, 1)
	f.StrikeEtcd(1, func() { _ = (<-running).Kill() })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	if err := c.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	killed := f.Save()
	members(t, f, []string{" (learner)", "kube-master-1"}, "add 10.64.0.2")
	said(t, f, 0, "reset", "kube-master-2", "--confirm=fleet")
	members(t, f, []string{"kube-master-1"}, "add 10.64.0.2", "remove ")

	f.Restore(killed)
	f.Drop("kube-master-2")
	says(t, said(t, f, 2, "plan"), "- etcd-member:10.64.0.2 ", "+ etcd-learner:kube-master-3")
	said(t, f, 0, "apply", "--auto-approve")
	members(t, f, []string{"kube-master-1", "kube-master-3"}, "remove ", "add 10.64.0.3", "promote kube-master-3")
	inSync(t, f)
}

// A master that is reset leaves a snapshot on one that stays: its own go with it.
func TestResetOfAMasterKeepsASnapshot(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	out := said(t, f, 0, "reset", "kube-master-1", "--confirm=fleet")
	says(t, out, "a snapshot of etcd is kept on kube-master-")
	members(t, f, []string{"kube-master-2", "kube-master-3"}, "remove kube-master-1")
	if on := snapshotsOn(f, "kube-master-2") + snapshotsOn(f, "kube-master-3"); on != 1 || snapshotsOn(f, "kube-master-1") != 0 {
		t.Errorf("%d snapshots on the masters that stay, %d on the other", on, snapshotsOn(f, "kube-master-1"))
	}
}
