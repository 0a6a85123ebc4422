package capacity

import (
	"testing"

	"github.com/droverctl/drover/inventory"
)

// What is taken of a failure domain is what pods of the hosts ask for that its room is
// the sum of.
func TestWhatIsTakenOfADomain(t *testing.T) {
	in := roomy(abc(), 2)
	for i := range in.Cluster.KubeNodes {
		in.Cluster.KubeNodes[i].FailureDomain = "a"
	}
	one := Amount{1500, inventory.Bytes(testGiB)}
	if s := Summarize(in, Place(in)); s.Domains[0].Running != nil {
		t.Errorf("nobody asked a cluster: %+v", s.Domains[0].Running)
	}
	in.RunningOn = map[string]Amount{in.Cluster.KubeNodes[0].Name: one, in.Cluster.KubeNodes[1].Name: one, in.Cluster.KubeMasters[0].Name: one}
	s := Summarize(in, Place(in))
	if a := s.Domains[0]; a.Name != "a" || a.Allocatable.Hosts != 2 || a.Running == nil || *a.Running != *one.times(2).room(0) {
		t.Errorf("%+v: %+v", a, a.Running)
	}
	if b := s.Domains[1]; b.Allocatable != nil || b.Running != nil {
		t.Errorf("%+v takes no pods", b)
	}
}

// A host that the cluster does not hear of is counted, and has no room.
func TestSilentHostHasNoRoom(t *testing.T) {
	in := roomy(abc(), 3)
	f := in.Hosts["n1"]
	f.Silent = true
	in.Hosts["n1"] = f
	s := Summarize(in, Place(in))
	if s.Nodes != 3 || s.Allocatable == nil || s.Allocatable.Hosts != 2 {
		t.Errorf("%+v", s)
	}
	if in.Cluster.KubeNodes[0].Taints != nil {
		t.Error("what it was asked of has changed")
	}
}

// More than can be counted is not less than nothing.
func TestTooMuchIsAsked(t *testing.T) {
	in := roomy(abc(), 3, declares(web(1_000_000, 64_000, 16<<40), inventory.Workload{Name: "db", Replicas: 1_000_000, CPU: 1, Memory: 16 << 40}))
	in.Running, in.Pods = &Amount{1, 10 << 50}, nil
	if s := Summarize(in, Fits{}); s.Declared.CPU != 64_001*1_000_000 || s.Declared.Memory != plenty {
		t.Errorf("%+v", s.Declared)
	}
	if s := Summarize(WhatIf{Grow: 5000}.Suppose(in), Fits{}); s.Declared.CPU != 64_001*5_000_000_000 || s.Declared.Memory != plenty || s.Running.Memory != plenty {
		t.Errorf("grown %+v; %+v run", s.Declared, s.Running)
	}
	for _, c := range headroom(in, Fits{}) {
		if c.Status != Fail || c.weight <= 0 {
			t.Errorf("%+v, weighs %g", c, c.weight)
		}
	}
}
