package fleettest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// What is played of pods that are spoken to: that somebody is there, at any address of
// theirs, or nobody.

// podNet is where pods have their addresses.
var podNet = netip.MustParsePrefix("10.128.0.0/9")

var errNoAnswer = errors.New("connect: no route to host")

// Mute has no pod answer any more, and tells of each time that one is asked; nil has
// them answer again.
func (f *Fleet) Mute(asked func()) { f.muted.Store(&asked) }

// speechless reports whether an address is a pod's that does not answer.
func (f *Fleet) speechless(address string) bool {
	asked := f.muted.Load()
	if at, err := netip.ParseAddr(address); err != nil || !podNet.Contains(at) || asked == nil || *asked == nil {
		return false
	}
	(*asked)()
	return true
}

// Police has a policy of Calico's that is about all pods.
func (f *Fleet) Police(name string) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	for _, k := range f.api.kinds() {
		if k.kind == "GlobalNetworkPolicy" {
			f.api.put(k, "/"+name, object{"kind": k.kind, "apiVersion": k.groupVersion(), "metadata": object{"name": name}})
		}
	}
}

// Notes are the annotations of a Node.
func (f *Fleet) Notes(name string) map[string]any {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	notes, _ := metadata(f.api.objects[nodes]["/"+name])["annotations"].(object)
	return notes
}

// Late has a host be found that often without routes to the pods on the others.
func (f *Fleet) Late(name string, often int) { f.Host(name).late.Store(int32(often)) }

// routes are a host's ways to the pods on the others. While it has none, nobody must be
// led there.
func (h *Host) routes(*hosttest.State, hosttest.Call) host.Result {
	if h.late.Add(-1) >= 0 {
		if at := h.fleet.Nodes()[h.Name]; !strings.Contains(at, "excluded") {
			h.fleet.tb.Errorf("%s is in service (%q) and has no routes to pods on other nodes", h.Name, at)
		}
		return host.Result{}
	}
	text := ""
	for i, other := range h.fleet.Hosts {
		switch {
		case other == h:
			text += fmt.Sprintf("blackhole %s \n", blockOf(i))
		case other.joined.Load():
			text += fmt.Sprintf("%s via %s dev eth0 \n", blockOf(i), other.Address)
		}
	}
	return host.Result{Stdout: []byte(text)}
}
