package fleetbench

import (
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// untouched runs a command that has to be refused with capacity's exit code before
// anything is changed, on a host or in the API.
func untouched(t *testing.T, f *fleettest.Fleet, want []string, args ...string) {
	t.Helper()
	before, writes := dumps(f), f.Writes()
	says(t, said(t, f, 3, args...), append(want, "the cluster would not hold what it must, so nothing was touched")...)
	if dumps(f) != before || f.Writes() != writes {
		t.Errorf("%v: something was touched: %d requests to change", args, f.Writes()-writes)
	}
}

// Two masters are begun only by whoever waives that; what is waived is told, and what
// waives no longer stops again.
func TestCapacityStopsABootstrap(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 2, Nodes: 1})
	says(t, said(t, f, 2, "plan"), "warning: apply would refuse this: capacity master-count: 2 masters, 0 may fail")
	untouched(t, f, []string{"FAIL  master-count", "fix: use 1 or 3 masters", `waive "master-count"`}, "apply", "--auto-approve")
	waive := func(until string) {
		f.Settings = `capacity {
  waive "master-count" {
    reason  = "the third is ordered"
    expires = "` + until + `"
  }
}
`
		f.Add(0)
	}
	waive("2020-12-31")
	untouched(t, f, []string{"master-count is not waived any more: its waiver expired on 2020-12-31"}, "apply", "--auto-approve")
	waive("2999-12-31")
	says(t, said(t, f, 0, "apply", "--auto-approve"), "FAIL  master-count", "waived until 2999-12-31: the third is ordered")
	says(t, said(t, f, 0, "plan"), "nothing to do")
}

// The node too many is refused, and those that are there are kept in repair all the
// same.
func TestCapacityStopsANodeTooMany(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 2})
	f.Settings = "capacity {\n  threshold \"mesh-size\" {\n    warn = 3\n    fail = 3\n  }\n}\n"
	f.Add(0)
	says(t, said(t, f, 0, "apply", "--auto-approve"), "WARN  mesh-size", "WARN  master-count")
	f.Add(1)
	untouched(t, f, []string{"FAIL  mesh-size", "4 hosts, 6 sessions (threshold: 3 hosts"}, "node", "add", "kube-node-3", "--auto-approve")
	untouched(t, f, []string{"FAIL  mesh-size"}, "apply", "--auto-approve")
	f.Settings = "capacity {\n  threshold \"mesh-size\" {\n    warn = 4\n    fail = 4\n  }\n}\n"
	f.Add(0)
	out := said(t, f, 0, "node", "add", "kube-node-3", "--auto-approve")
	says(t, out, "WARN  mesh-size", "WARN  node-pods  kube-node-3\n")
	f.Settings = "capacity {\n  threshold \"mesh-size\" {\n    warn = 2\n    fail = 2\n  }\n}\nkubelet { max_pods = 50 }\n"
	f.Add(0)
	says(t, said(t, f, 0, "apply", "--auto-approve"), "FAIL  mesh-size", "this run goes on all the same")
}

// What is declared has to find room after a removal, unless the operator says
// otherwise; a removal that makes nothing worse is none of capacity's business.
func TestCapacityStopsARemoval(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 3})
	f.Settings = `capacity {
  workload "web" {
    replicas = 9
    cpu      = "1"
    memory   = "1Gi"
  }
}
`
	f.Add(0)
	apply(t, f)
	// Three nodes of 4 CPU have 3 × 3.75, without what calico-node asks for on each.
	says(t, said(t, f, 2, "plan", "--prune", "kube-node-3"), "apply would refuse this: capacity headroom-cpu: declared workloads ask for 9 CPU; 3 of 9 declared pods find no place on all hosts", "(threshold: 7.5 CPU, warning above 80%)")
	untouched(t, f, []string{"FAIL  headroom-cpu", "declared workloads ask for 9 CPU", "(threshold: 7.5 CPU", "--without-room"}, "node", "remove", "kube-node-3", "--auto-approve")
	says(t, said(t, f, 0, "node", "remove", "kube-node-3", "--without-room", "--auto-approve"), "FAIL  headroom-cpu", "this run goes on all the same")
	f.Drop("kube-node-3")
	says(t, said(t, f, 0, "plan"), "nothing to do")
}
