package fleetbench

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// scene is what drover is disturbed at: an apply, unless it is another command, on a
// fleet that something was done to before.
type scene struct {
	name   string
	nodes  int
	before func(*testing.T, *fleettest.Fleet)
	// masters is how many there are at first, 1 when 0, and command what is disturbed, an
	// apply when empty; it is run again, then.
	masters int
	command []string
}

// gone is the host that is taken out of the cluster, if one is: what is left of its
// running kernel's settings is not drover's.
func (s scene) gone() string {
	if len(s.command) != 3 || s.command[1] != "remove" {
		return ""
	}
	return s.command[2]
}

func (s scene) args() []string {
	if len(s.command) == 0 {
		return []string{"apply", "--auto-approve"}
	}
	return append(slices.Clone(s.command), "--auto-approve")
}

// twoMasters bears that the loss of either of two masters stops the cluster.
const twoMasters = `capacity {
  waive "master-count" {
    reason  = "the third comes next"
    expires = "2999-12-31"
  }
}
`

// scenes are a cluster that is made, one that gets a node or a master, one of which a
// master is replaced or removed or a node removed, and one on which things have changed and are to change.
func scenes() []scene {
	return []scene{
		{name: "bootstrap", nodes: 1, before: func(*testing.T, *fleettest.Fleet) {}},
		{name: "add", before: func(t *testing.T, f *fleettest.Fleet) {
			apply(t, f)
			f.Add(1)
		}},
		{name: "add-a-master", before: func(t *testing.T, f *fleettest.Fleet) {
			apply(t, f)
			f.Settings = twoMasters
			f.AddMasters(1)
		}},
		{name: "replace-a-master", masters: 3, command: []string{"node", "replace", "kube-master-1"}, before: func(t *testing.T, f *fleettest.Fleet) {
			apply(t, f)
			f.Replace("kube-master-1")
		}},
		{name: "remove-a-master", masters: 3, command: []string{"node", "remove", "kube-master-1"}, before: apply},
		{name: "remove", nodes: 2, command: []string{"node", "remove", "kube-node-2"}, before: func(t *testing.T, f *fleettest.Fleet) {
			apply(t, f)
			f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-2", Set: "web"},
				fleettest.Pod{Namespace: "web", Name: "web-b", Node: "kube-node-2", Set: "web"})
		}},
		{name: "fan-out", nodes: 2, before: func(_ *testing.T, f *fleettest.Fleet) {
			f.Artifacts = pushed
			f.Add(0)
		}},
		{name: "change", nodes: 1, before: func(t *testing.T, f *fleettest.Fleet) {
			apply(t, f)
			f.Settings = "kubelet { max_pods = 50 }\n"
			f.Add(0)
			for _, h := range f.Hosts {
				h.Machine.Edit(func(s *hosttest.State) {
					delete(s.Files, "/etc/sysctl.d/99-zz-drover.conf")
					s.Sysctls["net.ipv4.ip_forward"] = "0"
					u := s.Units["kube-proxy.service"]
					u.Active = false
					s.Units["kube-proxy.service"] = u
					for _, name := range s.Below("/opt/drover/containerd") {
						delete(s.Files, name)
					}
				})
			}
		}},
	}
}

// effect is how an operation is disturbed.
type effect struct {
	name    string
	do      hosttest.Effect
	moments []hosttest.Moment
	// then is what happens to drover when the host has been struck; nil is nothing.
	then func(*os.Process)
}

func effects() []effect {
	both := []hosttest.Moment{hosttest.Before, hosttest.After}
	return []effect{
		{"fail", hosttest.Fail, both, nil},
		{"cut", hosttest.Cut, both, nil},
		{"kill", hosttest.Hang, both, func(p *os.Process) { _ = p.Kill() }},
		// Who hangs is given up by an operator who presses Ctrl-C twice: waiting for the
		// command's own limit would take minutes.
		{"hang", hosttest.Hang, both, func(p *os.Process) {
			_ = p.Signal(syscall.SIGINT)
			time.AfterFunc(50*time.Millisecond, func() { _ = p.Signal(syscall.SIGINT) })
		}},
		{"reboot", hosttest.Reboot, both, nil},
		// From then on; room is made before the next apply.
		{"full", hosttest.Full, both[:1], nil},
	}
}

// cluster is where requests to the cluster's API are struck, in place of a host.
const cluster = -1

// strike is one operation of one host, or one request to change something of the
// API, and what happens at it.
type strike struct {
	host, n int
	effect  effect
	moment  hosttest.Moment
}

func (s strike) String() string {
	moment, where := s.moment, fmt.Sprintf("host-%d", s.host)
	if moment == hosttest.Before {
		moment = "before"
	}
	if s.host == cluster {
		where = "the-API"
	}
	return fmt.Sprintf("%s-%s-%d-of-%s", s.effect.name, moment, s.n, where)
}

// kind is what is alike of strikes at different operations.
func (s strike) kind() string { return fmt.Sprint(s.effect.name, s.moment, s.host == cluster) }

// strikes are all ways to disturb what was just done to a fleet.
func strikes(f *fleettest.Fleet) []strike {
	var all []strike
	at := func(host, count int) {
		for n := range count {
			for _, e := range effects() {
				if host == cluster && e.do == hosttest.Full {
					continue
				}
				for _, moment := range e.moments {
					all = append(all, strike{host, n + 1, e, moment})
				}
			}
		}
	}
	for host, h := range f.Hosts {
		at(host, len(h.Machine.Ops()))
	}
	at(cluster, f.Writes())
	return all
}

// parts is in how many days every kind has been in every scene.
const parts = 3

// some are those that fit into a run of the tests: of the first of each kind every third,
// others in the next scene, and others tomorrow.
func some(all []strike, turn int) []strike {
	first := map[string]strike{}
	for _, s := range slices.Backward(all) {
		first[s.kind()] = s
	}
	var chosen []strike
	for i, kind := range slices.Sorted(maps.Keys(first)) {
		if (i+turn)%parts == 0 {
			chosen = append(chosen, first[kind])
		}
	}
	if testing.Short() {
		chosen = chosen[:1]
	}
	return chosen
}

// theatre is a fleet on which a scene is played over and over.
type theatre struct {
	*fleettest.Fleet
	scene
	saved fleettest.Saved
}

func newTheatre(t *testing.T, s scene) theatre {
	t.Helper()
	f := fleettest.New(t, drover, fleettest.Config{Masters: max(s.masters, 1), Nodes: s.nodes})
	s.before(t, f)
	th := theatre{f, s, f.Save()}
	f.Restore(th.saved)
	return th
}

func apply(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	if out, err := f.Command(drover, "apply", "--auto-approve").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestDisturbedAnywhere plays each scene undisturbed, and then again and again,
// each time disturbed at another operation of a host or another request to the API:
// it fails, hangs, loses the connection, the host is rebooted, its disk is full from
// then on until the run has ended, or drover is killed; right before it has taken
// effect or right after. Whatever it was, the same command finishes then, and the end is that
// of the undisturbed run. All operations with DROVER_SOAK, else some, chosen by
// DROVER_SEED: one of each kind in every third scene.
func TestDisturbedAnywhere(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("DROVER_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().Unix() / 86400)
	}
	for n, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			theatres := []theatre{newTheatre(t, s)}
			if out, err := theatres[0].Command(drover, s.args()...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			end, all := theatres[0].End(), strikes(theatres[0].Fleet)
			// In any order: the soak that is ended early has seen some of everything.
			r := rand.New(rand.NewPCG(seed, 1))
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			chosen := all
			if os.Getenv("DROVER_SOAK") == "" {
				chosen = some(all, n+int(seed%parts))
			}
			for range min(runtime.NumCPU(), len(chosen)) - 1 {
				theatres = append(theatres, newTheatre(t, s))
			}
			t.Logf("seed %d: %d of %d ways to be disturbed", seed, len(chosen), len(all))
			play(t, theatres, chosen, end)
		})
	}
}

// play disturbs each theatre's scene, one way after the other.
func play(t *testing.T, theatres []theatre, chosen []strike, end string) {
	start := time.Now()
	var struck, well, done atomic.Int64
	next := make(chan strike)
	var playing sync.WaitGroup
	for _, th := range theatres {
		playing.Go(func() {
			for one := range next {
				if t.Run(one.String(), func(t *testing.T) { th.disturb(t, one, end, &struck) }) {
					well.Add(1)
				}
				if n := done.Add(1); n%100 == 0 {
					t.Logf("%d of %d in %s", n, len(chosen), time.Since(start).Round(time.Second))
				}
			}
		})
	}
	for _, one := range chosen {
		next <- one
	}
	close(next)
	playing.Wait()
	t.Logf("%d ways to be disturbed, %d of them came about, %d ended as undisturbed, in %s", done.Load(), struck.Load(), well.Load(), time.Since(start).Round(time.Second))
	// A run may do a thing in another order, or wait once more, or once less.
	if missed := done.Load() - struck.Load(); missed > max(1, done.Load()/10) {
		t.Errorf("only %d of %d came about", struck.Load(), done.Load())
	}
}

// disturb plays a scene, disturbed, and then the same command, which is not.
func (th theatre) disturb(t *testing.T, one strike, end string, struck *atomic.Int64) {
	th.Restore(th.saved)
	c := th.Command(drover, th.args()...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	running := make(chan *os.Process, 1)
	fault := hosttest.Fault{N: one.n, Do: one.effect.do, When: one.moment, Struck: func() {
		struck.Add(1)
		if one.effect.then != nil {
			one.effect.then(<-running)
		}
	}}
	if one.host == cluster {
		th.InjectWrite(fault)
	} else {
		th.Hosts[one.host].Machine.Inject(fault)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	ended := time.AfterFunc(10*time.Minute, func() { _ = c.Process.Kill() })
	err := c.Wait()
	if !ended.Stop() {
		t.Fatalf("the disturbed run did not end\n%s", out.String())
	}
	th.Mend()
	last, failed := th.Command(drover, th.args()...).CombinedOutput()
	if failed != nil {
		t.Fatalf("the next one did not finish: %v\n%s\nthe disturbed one: %v\n%s", failed, last, err, out.String())
	}
	gone := th.gone()
	if diff := cmp.Diff(strings.Split(onDisk(end, gone), "\n"), strings.Split(onDisk(th.End(), gone), "\n")); diff != "" {
		t.Errorf("another end than undisturbed (-) after %v:\n%s\n%s", err, diff, out.String())
	}
}

// A run that is killed when its node is proven, and before the pod that proved it is
// taken away, leaves something that the next plan shows and the next apply removes.
func TestProofOfAKilledRunGoes(t *testing.T) {
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	c := f.Command(drover, "apply", "--auto-approve")
	running := make(chan *os.Process, 1)
	f.InjectWrite(hosttest.Fault{Match: "DELETE /api/v1/namespaces/kube-system/pods/drover-proof-", Do: hosttest.Hang, Struck: func() { _ = (<-running).Kill() }})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	_ = c.Wait() // it was killed
	const left = "~ block:kube-node-1: proof is left behind, not wanted"
	if out, _ := f.Command(drover, "plan").CombinedOutput(); !strings.Contains(string(out), left) {
		t.Errorf("it does not say %q:\n%s", left, out)
	}
	apply(t, f)
	if out, err := f.Command(drover, "plan").CombinedOutput(); err != nil || strings.Contains(f.End(), "drover-proof-") {
		t.Errorf("%v\n%s\n%s", err, out, f.End())
	}
}
