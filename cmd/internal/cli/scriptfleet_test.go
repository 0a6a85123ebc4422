package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// scriptFleet is simulated hosts that a script works on. Masters run the real
// scripts of the lock and of the history.
type scriptFleet struct {
	tb testing.TB
	*fleettest.Fleet
}

// runs is the key of a script's fleet.
type runs struct{}

// fleetOf is the fleet that a script has made.
func fleetOf(ts *testscript.TestScript) *fleettest.Fleet {
	f := ts.Value(runs{}).(*scriptFleet)
	if f.Fleet == nil {
		ts.Fatalf("there is no fleet: fleet MASTERS NODES")
	}
	return f.Fleet
}

// simulate makes the fleet, and has drover find it:
// fleet MASTERS NODES
func simulate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fleet MASTERS NODES")
	}
	f := ts.Value(runs{}).(*scriptFleet)
	masters, err := strconv.Atoi(args[0])
	ts.Check(err)
	nodes, err := strconv.Atoi(args[1])
	ts.Check(err)
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	f.Fleet = fleettest.New(f.tb, filepath.Join(bin, "drover"), fleettest.Config{Masters: masters, Nodes: nodes})
	ts.Setenv("HOME", f.Home)
	ts.Setenv("DROVER_INVENTORY", filepath.Join(f.Dir, "inventory.hcl"))
}

// claim has a master hold a claim of the fleet's lock that somebody on another
// machine has made, alice for "drover apply". Its lease is good for an hour, has
// ended, or it was given back:
// claim MASTER EPOCH good|ended|released
func claim(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: claim MASTER EPOCH good|ended|released")
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ts.Check(err)
	up, err := os.ReadFile("/proc/uptime")
	ts.Check(err)
	now, err := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	ts.Check(err)
	text := fmt.Sprintf("run=r%s\nowner=alice@elsewhere\npid=4711\nprocess=\nsince=2026-01-02T03:04:05Z\nreason=drover apply\n", args[1])
	switch args[2] {
	case "good":
		text += fmt.Sprintf("ttl=3600\nboot=%sgranted=%d\nuntil=%d\n", boot, int64(now), int64(now)+3600) // whole seconds that have passed, as hosts count
	case "ended":
		text += fmt.Sprintf("ttl=1\nboot=%sgranted=0\nuntil=1\n", boot)
	case "released":
		text += "released=1\n"
	default:
		ts.Fatalf("no such state of a claim: %s", args[2])
	}
	put(ts, args[0], "/var/lib/drover/lock/"+args[1]+".drover", text)
}

// remember has a master remember the runs of a file:
// remember MASTER FILE
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember MASTER FILE")
	}
	put(ts, args[0], "/var/lib/drover/history/runs.jsonl", ts.ReadFile(args[1]))
}

func put(ts *testscript.TestScript, master, name, text string) {
	machine(ts, master).Edit(func(s *hosttest.State) { ts.Check(s.Put(name, text, 0o600, "root:root")) })
}

func machine(ts *testscript.TestScript, name string) *hosttest.Host {
	h := fleetOf(ts).Host(name)
	if h == nil {
		ts.Fatalf("no host %s", name)
	}
	return h.Machine
}

// fault has the next command fail that has a word in it, or its connection cut:
// fault HOST WORD fail|cut
func fault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fault HOST WORD fail|cut")
	}
	machine(ts, args[0]).Inject(hosttest.Fault{Match: args[1], Do: hosttest.Effect(args[2]), Stderr: "it is broken"})
}
