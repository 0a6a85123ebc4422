package resource

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/plan"
)

// A unit that does not come up says what its host knows of it; that it could not be
// looked up hides nothing.
func TestAUnitExplainsItself(t *testing.T) {
	h := hosttest.New(t, "m1")
	h.HandleScript("drover() {", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Exit: 1, Stderr: []byte("Job for etcd.service failed")}
	})
	h.HandleScript("# drover evidence", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Stdout: []byte("bind: address already in use\n\n@@drover-listeners@@\nsocket 7 00000000:094B\nholder 7 12 /system.slice/x.service no\t/x\tother\n")}
	})
	u := Unit{Host: "m1", Name: "etcd.service", Ports: []uint16{2379}}
	w := World{Hosts: map[string]host.Writer{"m1": h}}
	failed := u.Apply(t.Context(), w, plan.Change{Action: plan.Update})
	err := Explained(t.Context(), u, w, failed)
	var exit *host.ExitError
	for _, want := range []string{"Job for etcd.service failed", "port 2379 on m1 is held by other (pid 12, x.service), at 0.0.0.0:2379\n", "the journal of etcd.service on m1:\n  bind: address"} {
		if err == nil || !errors.As(err, &exit) || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}

	h.Inject(hosttest.Fault{Do: hosttest.Cut})
	if err := Explained(t.Context(), u, w, failed); !errors.Is(err, failed) || !strings.Contains(err.Error(), "could not be read") {
		t.Errorf("%v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, got := range map[string]error{
		"of a run that was stopped":   Explained(stopped, u, w, failed),
		"of a host that is not there": Explained(t.Context(), Unit{Host: "m2"}, w, failed),
		"of a gate that has none":     Explained(t.Context(), Gate{}, w, failed),
		"of a file":                   Explained(t.Context(), File{}, w, failed),
	} {
		if got != failed {
			t.Errorf("%s: %v", name, got)
		}
	}
	lost := &host.UnreachableError{Host: "m1", Lost: true}
	if err := Explained(t.Context(), u, w, lost); err != error(lost) {
		t.Errorf("of a host that is lost: %v", err)
	}
	if err := Explained(t.Context(), u, w, nil); err != nil {
		t.Errorf("nothing failed: %v", err)
	}
	said := func(context.Context, World) string { return "pod x: no such image" }
	for _, r := range []Resource{Gate{Explain: said}, Step{Explain: said}} {
		if err := Explained(t.Context(), r, w, failed); !errors.Is(err, failed) || !strings.HasSuffix(err.Error(), "\npod x: no such image") {
			t.Errorf("%v", err)
		}
	}
}
