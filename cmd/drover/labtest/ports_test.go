package labtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// Ports that bare hosts do not reach each other on are found before anything is
// touched, and whatever listened for that is gone when drover is. Then they become a
// cluster, whose own ports are in nobody's way.
func TestPortsBetweenHosts(t *testing.T) {
	c := begin(t, portsLab, shape{Masters: 1, Nodes: 1, Routers: 1, Push: true})
	well := func() {
		t.Helper()
		if r := c.drover(t, "preflight"); r.Code != 0 || strings.Contains(r.Stdout, "port-unreachable") {
			t.Errorf("nothing stands in the way: %s", r)
		}
	}
	well()
	// On kube-node-1; the reset is one that a refusal looks just like.
	firewall := func(rule string) func() {
		return func() {
			c.ssh(t, "kube-node-1", fmt.Sprintf("nft -f - <<EOF\ntable inet drover_labtest {\n chain in { type filter hook input priority 0; ip saddr %s %s; }\n}\nEOF", c.address("kube-master-1"), rule))
		}
	}
	open := func() { c.ssh(t, "kube-node-1", "nft delete table inet drover_labtest") }
	for _, test := range []struct {
		name       string
		spoil      func()
		mend       func()
		says       []string
		saysNoMore string
	}{
		{
			name: "dropped", spoil: firewall("tcp dport 10250 drop"), mend: open, saysNoMore: "port 6443",
			says: []string{"FAIL    port-unreachable  kube-node-1\n        there is no connection to its port 10250 (the kubelet) from kube-master-1: no answer\n"},
		}, {
			name: "rejected", spoil: firewall("tcp dport 10250 reject with tcp reset"), mend: open, saysNoMore: "port 6443",
			says: []string{"its port 10250 (the kubelet) from kube-master-1: connection refused\n"},
		}, {
			name: "not let through", spoil: firewall("tcp dport 10250 reject with icmp type host-unreachable"), mend: open, saysNoMore: "port 6443",
			says: []string{"its port 10250 (the kubelet) from kube-master-1: no route to host\n"},
		}, {
			name: "cut", saysNoMore: "does not reach f5-a",
			spoil: func() { c.Must(t, "cut", "kube-master-1", "kube-node-1") }, mend: func() { c.Must(t, "heal", "kube-master-1", "kube-node-1") },
			says: []string{
				"FAIL    port-unreachable  kube-master-1\n        there is no connection to its port 6443 (the API server) from kube-node-1: ",
				"FAIL    port-unreachable  kube-node-1\n        there is no connection to its port 10250 (the kubelet) from kube-master-1: ",
				"its port 179 (Calico's BGP) from kube-node-1: ",
			},
		}, {
			name: "cut from the BIG-IP", saysNoMore: "its port",
			spoil: func() { c.Must(t, "cut", "kube-node-1", "f5-a") }, mend: func() { c.Must(t, "heal", "kube-node-1", "f5-a") },
			says: []string{"FAIL    port-unreachable  kube-node-1\n        it does not reach f5-a for BGP, at " + c.address("f5-a") + ":179: "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spoil()
			before := c.hostTraces(t, c.hosts()...)
			for _, verb := range [][]string{{"preflight"}, {"apply", "--auto-approve"}} {
				r := c.drover(t, verb...)
				if r.Code != 1 || strings.Contains(r.Stdout+r.Stderr, test.saysNoMore) {
					t.Errorf("%v: %s", verb, r)
				}
				for _, want := range test.says {
					if !strings.Contains(r.Stdout+r.Stderr, want) {
						t.Errorf("%v: no %q in %s", verb, want, r)
					}
				}
				t.Logf("%v took %s", verb, r.Took.Round(time.Millisecond))
			}
			if d := cmp.Diff(before, c.hostTraces(t, c.hosts()...), cmp.AllowUnexported(traces{})); d != "" {
				t.Errorf("it touched hosts (-before +after):\n%s", d)
			}
			for _, h := range c.hosts() {
				if left := c.listeners(t, h); left != "" {
					t.Errorf("left on %s: %s", h, left)
				}
			}
			test.mend()
			well()
		})
	}

	// Killed while hosts listen, it leaves them nothing for long, and nothing that
	// the next run minds.
	c.Must(t, "cut", "kube-node-1", "f5-a") // so that it takes its time
	kill := func() {
		t.Helper()
		b := labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "preflight")
		labkit.Await(t, time.Minute, "kube-node-1 listens", func() error {
			if c.listeners(t, "kube-node-1") == "" {
				return errors.New("nobody does")
			}
			return b.Signal(syscall.SIGKILL)
		})
		if left := b.Result(); left.Code == 0 {
			t.Errorf("it was not killed: %s", left)
		}
	}
	kill()
	labkit.Await(t, time.Minute, "what listened ends by itself", func() error {
		if left := c.listeners(t, "kube-node-1"); left != "" {
			return errors.New(left)
		}
		return nil
	})
	kill()
	c.Must(t, "heal", "kube-node-1", "f5-a")
	if !t.Run("bootstrap by push", c.bootstrapByPush) {
		return
	}
	if r := c.drover(t, "preflight"); r.Code != 0 || strings.Contains(r.Stdout, "port-") {
		t.Errorf("the cluster's own ports stand in nobody's way: %s", r)
	}
}

// listeners are the units that listen for a preflight on a host, or that did.
func (c *cluster) listeners(t *testing.T, h string) string {
	t.Helper()
	return c.ssh(t, h, "systemctl list-units --all --plain --no-legend 'drover-ports-*'; ls /run/systemd/transient | grep drover-ports || :")
}
