package topology

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// A lab gets one Puppet server, on an address nobody has, and keeps it.
func TestWithPuppet(t *testing.T) {
	bare, err := Build("demo", "", append(demo(), host("kube-node-2", Node, "10.90.0.251")))
	if err != nil {
		t.Fatal(err)
	}
	lab, err := bare.WithPuppet()
	if err != nil {
		t.Fatal(err)
	}
	server, ok := lab.Machine(PuppetServer)
	got := fmt.Sprintf("%v %s %v %v %s", ok, server.Role, server.Interfaces, server.Routes, server.User())
	if want := "true puppet [{eth0 fabric 10.90.0.250/24}] [{0.0.0.0/0 10.90.0.254}] ops"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, ok := bare.Machine(PuppetServer); ok {
		t.Error("the lab it was made from has one as well")
	}
	if again, err := lab.WithPuppet(); err != nil || describe(again) != describe(lab) {
		t.Errorf("asked twice: %v\n%s", err, describe(again))
	}
	// What the inventory gains does not move it, and cannot have its address.
	more, err := lab.Extend([]Host{host("kube-node-3", Node, "10.90.0.249")})
	if have, _ := more.Machine(PuppetServer); err != nil || have.Address() != server.Address() {
		t.Errorf("after one host more: %v, %v", have, err)
	}
	if _, err := lab.Extend([]Host{host("kube-node-3", Node, "10.90.0.250")}); err == nil || !strings.Contains(err.Error(), "is puppet's") {
		t.Errorf("a host with its address: %v", err)
	}
}

func TestWithPuppetRefuses(t *testing.T) {
	named, err := Build("demo", "", []Host{host("puppet", Node, "10.90.0.11")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := named.WithPuppet(); err == nil || !strings.Contains(err.Error(), "rename the host") {
		t.Errorf("a host of its name: %v", err)
	}
	full := []Host{}
	for n := 1; n <= 251; n++ {
		full = append(full, Host{Name: fmt.Sprintf("n%d", n), Role: Node, Address: netip.AddrFrom4([4]byte{10, 90, 0, byte(n)})})
	}
	crowd, err := Build("demo", "", full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := crowd.WithPuppet(); err == nil || !strings.Contains(err.Error(), "no address left") {
		t.Errorf("a full network: %v", err)
	}
}
