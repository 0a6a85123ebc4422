package labtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// event is what drover tells of a change: as soon as it begins, and when it is done.
type event struct{ Kind, ID string }

func (e event) String() string { return e.Kind + " " + e.ID }

// boundary is whether an event is one between drover and etcd or the API: of what
// these hold, or of what they or a kubelet that joins do for it.
func (e event) boundary() bool {
	host, what, _ := strings.Cut(e.ID, "/")
	kind, name, _ := strings.Cut(what, ":")
	switch {
	case e.Kind != "started" && e.Kind != "done":
		return false
	case host == "cluster", kind == "etcd", kind == "kubelet", kind == "membership", kind == "bgp":
		return true
	}
	return kind == "unit" && (name == "etcd.service" || name == "kube-apiserver.service")
}

// applyUntil runs apply. At the first of its events that is meant, it does something
// to it, or to a host, and then sees it end. The event is the one at which that was,
// if any was meant.
func (c *cluster) applyUntil(t *testing.T, meant func(event) bool, do func(*os.Process), flags ...string) (event, labkit.Result) {
	t.Helper()
	return c.droverUntil(t, meant, do, append([]string{"apply", "--auto-approve"}, flags...)...)
}

// droverUntil is applyUntil with another command.
func (c *cluster) droverUntil(t *testing.T, meant func(event) bool, do func(*os.Process), args ...string) (event, labkit.Result) {
	t.Helper()
	cmd := labkit.Command(t.Context(), os.Getenv("DROVER"), append([]string{"-i", c.path(), "--log-format=json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	var at event
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20) // errors carry journals
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil && at == (event{}) && meant(e) {
			at = e
			do(cmd.Process)
		}
		stderr.Write(append(lines.Bytes(), '\n'))
	}
	_ = cmd.Wait() // its exit code says it
	return at, labkit.Result{
		Args: cmd.Args, Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode(), Took: time.Since(started),
	}
}

func kill(p *os.Process) { _ = p.Kill() }

// disturbance is what befalls a host while apply is at work, other than that drover
// is killed.
type disturbance struct {
	name string
	// prepare makes a host one that can be disturbed so; strike does it, and mend
	// undoes it when apply has ended.
	prepare, strike, mend func(t *testing.T, c *cluster, host string)
}

// shrink leaves next to no room in /opt: none would be less than is used by the time
// it is told. It is told again when somebody was quicker still.
const shrink = `for i in $(seq 20); do mount -o remount,size=$(($(df --output=used -k /opt | tail -n 1) + 4096))k /opt && exit; done; exit 1`

func disturbances() []disturbance {
	nothing := func(*testing.T, *cluster, string) {}
	script := func(text string) func(*testing.T, *cluster, string) {
		return func(t *testing.T, c *cluster, host string) { c.ssh(t, host, text) }
	}
	return []disturbance{
		{"the connection is lost", nothing, func(t *testing.T, c *cluster, host string) {
			_, _ = c.try(t.Context(), host, "pkill -KILL -u ops sshd") // it takes itself along
		}, nothing},
		{"the host is rebooted", nothing, func(t *testing.T, c *cluster, host string) {
			c.Must(t, "power", "kill", host)
			c.Must(t, "power", "on", host)
		}, nothing},
		// A file system of its own: the machines share one with this machine. It takes no
		// memory for what is free.
		{"the disk is full, and then is not", script("mountpoint -q /opt || mount -t tmpfs -o size=20g,mode=755 none /opt"),
			script(shrink), script("mount -o remount,size=20g /opt")},
	}
}

// However far an apply got when it was killed, at whatever it was doing with etcd or
// the API, or its host was lost to it or full: the next one goes on from there, and
// the one that is left alone finishes. The cluster is then what an undisturbed run
// makes. With DROVER_SOAK every boundary has its kill, and each disturbance several
// moments; else some have, chosen by the seed.
func TestDisturbedApplyGoesOn(t *testing.T) {
	suite.Need(t)
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 11))
	s, want := undisturbed(t)
	if !labkit.Soak() {
		c := begin(t, killLab, s)
		// The quick one: a full disk may keep a node from being ready for as long as apply waits.
		c.disturbed(t, r, disturbances()[0])
		c.killedAtSome(t, r, 2, 60, event.boundary)
		c.finishes(t, want)
		return
	}
	for _, d := range disturbances() {
		for range 3 {
			c := begin(t, killLab, s)
			c.disturbed(t, r, d)
			c.finishes(t, want)
		}
	}
	killed := map[event]bool{}
	for round := range 3 { // what a killed run has done has no boundaries in the next
		before := len(killed)
		c := begin(t, killLab, s)
		c.killedAtAll(t, killed)
		c.finishes(t, want)
		t.Logf("round %d: killed at %d more boundaries, %d in all", round+1, len(killed)-before, len(killed))
	}
}

// Killed at 25 random moments while three masters and two nodes come up: each time
// the next apply goes on, and the end is that of an undisturbed run.
func TestLargerClusterKilledGoesOn(t *testing.T) {
	suite.Need(t)
	if !labkit.Soak() {
		t.Skip("25 kills take long: with DROVER_SOAK only")
	}
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 12))
	s := shape{Masters: 3, Nodes: 2, Routers: 2}
	c := begin(t, threeLab, s)
	c.bootstrap(t)
	want := c.end(t)
	for killed := 0; killed < 25; { // a run may end before its kill
		c := begin(t, threeLab, s)
		// Five times a fifth of the way, on average: it tells some 700 events.
		killed += c.killedAtSome(t, r, min(5, 25-killed), 300, func(event) bool { return true })
		c.finishes(t, want)
		t.Logf("killed %d times in all", killed)
	}
}

// undisturbed is an inventory and the end of a run on it: the shared cluster's where
// that is there, else one that is made for it.
func undisturbed(t *testing.T) (shape, []string) {
	t.Helper()
	if c := current.c; c != nil && c.lab == oneLab && c.booted > 0 {
		c.inSync(t)
		return c.shape, c.end(t)
	}
	c := begin(t, killLab, shape{Masters: 1, Nodes: 1, Routers: 1})
	c.bootstrap(t)
	return c.shape, c.end(t)
}

// disturbed has a host disturbed at some moment of an apply.
func (c *cluster) disturbed(t *testing.T, r *rand.Rand, d disturbance) {
	t.Helper()
	hosts := c.hosts()
	host := hosts[r.IntN(len(hosts))]
	d.prepare(t, c, host)
	left := 1 + r.IntN(30) // events of the host: it has about 80
	at, ended := c.applyUntil(t, func(e event) bool {
		if strings.HasPrefix(e.ID, host+"/") {
			left--
		}
		return left == 0
	}, func(*os.Process) { d.strike(t, c, host) })
	t.Logf("%s at %s: %s; exit %d after %s: %s", host, at, d.name, ended.Code, ended.Took.Round(time.Millisecond), lastLine(ended.Stdout))
	if at == (event{}) {
		t.Errorf("it was not disturbed: %s", ended)
	}
	d.mend(t, c, host)
}

// killedAtSome kills one apply after the other, each after some of the events that
// count, at most that many, and tells how many it did.
func (c *cluster) killedAtSome(t *testing.T, r *rand.Rand, times, most int, counts func(event) bool) int {
	t.Helper()
	for n := range times {
		left := 1 + r.IntN(most)
		at, ended := c.applyUntil(t, func(e event) bool {
			if counts(e) {
				left--
			}
			return left == 0
		}, kill)
		if c.told(t, at, ended) {
			return n
		}
	}
	return times
}

// killedAtAll kills one apply after the other, each at its first boundary at which
// none was killed so far, until one meets no such boundary.
func (c *cluster) killedAtAll(t *testing.T, killed map[event]bool) {
	t.Helper()
	const most = 400 // boundaries are about 200
	for range most {
		at, ended := c.applyUntil(t, func(e event) bool { return e.boundary() && !killed[e] }, kill)
		if c.told(t, at, ended) {
			return
		}
		killed[at] = true
	}
	t.Errorf("there is no end of boundaries: %d", len(killed))
}

// told tells how a run was killed; whether it ended by itself, which it may only do
// well.
func (c *cluster) told(t *testing.T, at event, ended labkit.Result) (done bool) {
	t.Helper()
	if at != (event{}) {
		t.Logf("killed after %s at %s", ended.Took.Round(time.Millisecond), at)
		return false
	}
	if ended.Code != 0 {
		t.Fatalf("it failed by itself: %s", ended)
	}
	return true
}

// finishes shows that an apply that nothing disturbs comes to the wanted end.
func (c *cluster) finishes(t *testing.T, want []string) {
	t.Helper()
	again := c.apply(t)
	t.Logf("the apply after that took %s: %s", again.Took.Round(time.Millisecond), lastLine(again.Stdout))
	c.inSync(t)
	c.login(t)
	c.expectEnd(t, want)
	now(c.nodesReady)(t)
	now(c.etcdMembers)(t)
	soon(c.routesHeld)(t)
}
