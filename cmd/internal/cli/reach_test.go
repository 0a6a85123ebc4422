package cli_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// Ports that hosts do not get through to each other keep apply from touching any of
// them; plan does not look for it.
func TestPortsBetweenHosts(t *testing.T) {
	var tried atomic.Int64
	var open atomic.Bool
	f := newFleet(t, 2, hosttest.Config{Tunnel: func(ctx context.Context, addr string) (net.Conn, error) {
		tried.Add(1)
		if strings.HasSuffix(addr, ":10250") && !open.Load() {
			return nil, errors.New("connect failed: No route to host")
		}
		return reached(ctx, addr)
	}}, "", "")
	run := func(args ...string) (int, string) {
		c := f.drover(t, args...)
		out, _ := c.CombinedOutput()
		return c.ProcessState.ExitCode(), string(out)
	}
	if code, out := run("plan"); code != 2 || tried.Load() > 0 {
		t.Errorf("plan: exit %d, %d connections tried\n%s", code, tried.Load(), out)
	}
	const want = "FAIL    port-unreachable  kube-node-1\n        there is no connection to its port 10250 (the kubelet) from kube-master-1: no route to host\n"
	for _, verb := range [][]string{{"preflight"}, {"apply", "--auto-approve"}} {
		code, out := run(verb...)
		if code != 1 || !strings.Contains(out, want) || strings.Count(out, "FAIL    ") != 1 {
			t.Errorf("%v: exit %d\n%s", verb, code, out)
		}
	}
	if tried.Load() != 2*3 { // the API, the kubelet, BGP
		t.Errorf("%d connections were tried", tried.Load())
	}
	touched := func() bool {
		for _, m := range f.machines {
			if slices.ContainsFunc(m.Ops(), func(o hosttest.Op) bool { return !looksAtLock(o) && (o.Argv[0] != "sh" || o.Exit != 0) }) {
				return true
			}
		}
		return false
	}
	if touched() {
		t.Error("it touched a machine")
	}
	open.Store(true)
	if code, out := run("preflight"); code != 0 || strings.Contains(out, "port-unreachable") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if _, out := run("apply", "--auto-approve"); strings.Contains(out, "port-unreachable") || !touched() {
		t.Errorf("nothing stands in the way any more:\n%s", out)
	}
}

// Where sshd forbids forwarding it is said that nothing is known.
func TestPortsThatCannotBeTried(t *testing.T) {
	f := newFleet(t, 2, hosttest.Config{NoForwarding: true}, "", "")
	c := f.drover(t, "preflight", "--fail-on=warn")
	out, _ := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != 4 || !strings.Contains(string(out), "WARN    port-unreachable  kube-master-1\n        which ports it reaches") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
