package labtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// cutting prepares a test of cuts: the ways that are open without any.
func cutting(t *testing.T) (l lab, all []party, before map[way]bool) {
	t.Helper()
	l = shared(t)
	all = l.parties(t)
	t.Cleanup(func() { // for when the test fails half-way
		for _, c := range l.status(t).Cuts {
			l.Run(t, "heal", c.A)
		}
	})
	return l, all, openWays(t, all)
}

// openWays are the ways of a lab without cuts: all between machines of the
// fabric, to begin with.
func openWays(t *testing.T, all []party) map[way]bool {
	t.Helper()
	onFabric := func(name string) bool { return !strings.HasSuffix(name, "-client") }
	var before map[way]bool
	labkit.Await(t, 20*time.Second, "everyone on the fabric reaches everyone", func() error {
		before = reached(t, all)
		for w, open := range before {
			if !open && onFabric(w.from) && onFabric(w.to) {
				return &closedError{w}
			}
		}
		return nil
	})
	return before
}

type closedError struct{ w way }

func (e *closedError) Error() string { return e.w.String() + " does not work" }

func between(a, b string) func(way) bool {
	return func(w way) bool { return w.from == a && w.to == b || w.from == b && w.to == a }
}

// A cut of two stops these two, both ways and all traffic, and nobody else.
func TestCutOfTwo(t *testing.T) {
	l, all, before := cutting(t)
	// A client reaches machines through its router, and they answer through the
	// gateway: neither is between the two.
	if !before[way{"f5-a-client", "kube-node-1", "tcp"}] || before[way{"f5-a-client", "f5-b-client", "icmp"}] {
		t.Error("a client should reach machines, and not the client of another router")
	}
	l.Must(t, "cut", "kube-master-1", "kube-node-1")
	expect(t, all, before, between("kube-master-1", "kube-node-1"))
	l.Must(t, "cut", "kube-node-1", "kube-master-1") // the same cut: no second one
	if got := l.status(t).Cuts; !slices.Equal(got, []cut{{"kube-master-1", "kube-node-1"}}) {
		t.Errorf("status has cuts %v", got)
	}
	l.Must(t, "heal", "kube-node-1", "kube-master-1") // in any order
	expect(t, all, before, func(way) bool { return false })
	if got := l.status(t).Cuts; len(got) > 0 {
		t.Errorf("healed, but status has cuts %v", got)
	}
}

// A cut of one separates it from all, this machine included; what a router
// forwards goes with it. Its own client, behind it, keeps its link to nobody.
func TestCutFromAll(t *testing.T) {
	l, all, before := cutting(t)
	l.Must(t, "cut", "kube-node-1")
	alone := func(name string) func(way) bool {
		return func(w way) bool { return w.from == name || w.to == name }
	}
	expect(t, all, before, alone("kube-node-1"))
	if got := l.status(t); got.machine(t, "kube-node-1").State != "unreachable" || got.machine(t, "kube-node-1").Error == "" {
		t.Errorf("a machine cut from all: %+v", got.machine(t, "kube-node-1"))
	}
	// Without B, heal undoes every cut it is in.
	l.Must(t, "cut", "kube-node-1", "mirror")
	l.Must(t, "heal", "kube-node-1")
	expect(t, all, before, func(way) bool { return false })

	l.Must(t, "cut", "f5-a")
	expect(t, all, before, func(w way) bool {
		return alone("f5-a")(w) || alone("f5-a-client")(w)
	})
	l.Must(t, "heal", "f5-a")
	expect(t, all, before, func(way) bool { return false })
}

// The parties that are no machines can be cut, too.
func TestCutFromGatewayMirrorAndAdmin(t *testing.T) {
	l, all, before := cutting(t)
	l.Must(t, "cut", "kube-master-2", "gateway")
	l.Must(t, "cut", "mirror", "kube-node-2")
	l.Must(t, "cut", "admin", "kube-master-3")
	expect(t, all, before, func(w way) bool {
		return between("kube-master-2", "gateway")(w) || between("mirror", "kube-node-2")(w) || between("admin", "kube-master-3")(w) ||
			// What a client sends comes by its router; answers go by the gateway.
			strings.HasSuffix(w.from, "-client") && w.to == "kube-master-2" && w.how != "one way" ||
			strings.HasSuffix(w.to, "-client") && w.from == "kube-master-2"
	})
	want := []cut{{"admin", "kube-master-3"}, {"kube-master-2", "gateway"}, {"kube-node-2", "mirror"}}
	if got := l.status(t).Cuts; !slices.Equal(got, want) {
		t.Errorf("status has cuts %v, want %v", got, want)
	}
	for _, c := range want {
		l.Must(t, "heal", c.A, c.B)
	}
	expect(t, all, before, func(way) bool { return false })
}

// A cut outlives a power cycle of either end: it is the network's, not theirs.
func TestCutOutlivesPowerCycle(t *testing.T) {
	l, all, before := cutting(t)
	l.Must(t, "cut", "kube-master-1", "kube-master-2")
	l.Must(t, "power", "kill", "kube-master-1")
	l.Must(t, "power", "on", "kube-master-1")
	expect(t, all, before, between("kube-master-1", "kube-master-2"))
	l.Must(t, "heal", "kube-master-1", "kube-master-2")
	expect(t, all, before, func(way) bool { return false })
}

// Only parties of the lab can be cut.
func TestCutRefusesStrangers(t *testing.T) {
	l := shared(t)
	r := l.Run(t, "cut", "kube-master-9", "kube-node-1")
	if r.Code != 1 || !strings.Contains(r.Stderr, `"kube-master-9" is no party`) || !strings.Contains(r.Stderr, "kube-master-3") {
		t.Errorf("want it refused by name, with those there are: %s", r)
	}
}
