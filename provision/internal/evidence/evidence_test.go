package evidence

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// answering is a host whose journal and sockets are given.
func answering(t *testing.T, out string) *hosttest.Host {
	h := hosttest.New(t, "n1")
	h.HandleScript("# drover evidence", func(_ *hosttest.State, c hosttest.Call) host.Result {
		if !strings.Contains(string(c.Stdin), "-u kubelet.service") {
			t.Errorf("it asks for another unit: %s", c.Stdin)
		}
		return host.Result{Stdout: []byte(out)}
	})
	return h
}

// Who holds a port is told, unless it is the unit itself; 10250 is 280A, 10248 is 2808.
func TestUnit(t *testing.T) {
	h := answering(t, `first
second

@@drover-listeners@@
socket 7 00000000:280A
socket 8 0100007F:2808
socket 9 0100007F:1A0A
socket 10 00000000:0016
holder 7 812 /system.slice/squatter.service no	/usr/bin/socat	socat
holder 8 90 /system.slice/kubelet.service no	/opt/drover/kubelet	kubelet
holder 10 77 /system.slice/ssh.service no	/usr/sbin/sshd	sshd
`)
	want := `port 10250 on n1 is held by socat (pid 812, squatter.service), at 0.0.0.0:10250
the journal of kubelet.service on n1:
  first
  second`
	if d := cmp.Diff(want, Unit(t.Context(), h, "kubelet.service", 10250, 10248)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if n := len(h.Ops()); n != 1 || h.Ops()[0].Kind != hosttest.OpProbe {
		t.Errorf("%d operations", n)
	}
	if got := Unit(t.Context(), answering(t, "\n@@drover-listeners@@\nrubbish here\n"), "kubelet.service", 10250); !strings.Contains(got, "could not be told") || !strings.Contains(got, "(empty)") {
		t.Error(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Unit(ctx, h, "kubelet.service"); !strings.Contains(got, "could not be read") {
		t.Error(got)
	}
}

// Of a program that is started again and again the reason is shown, once, and what it
// says at each start is not.
func TestWorst(t *testing.T) {
	var log []string
	for n := range 9 {
		log = append(log, fmt.Sprintf(`E1123 22:36:0%d.5 %d server.go:260] "Failed to listen and serve" err="listen tcp 0.0.0.0:10250: bind: address already in use"`, n, n))
		for i := range 30 {
			log = append(log, fmt.Sprintf("I1123 22:36:0%d.6 %d flags.go:64] FLAG: --flag-%d", n, n, i), "")
		}
	}
	got := worst(log)
	if len(got) != 12+2 || !strings.Contains(got[0], "E1123 22:36:08.5") || got[1] != "  …" || !strings.HasSuffix(got[13], "--flag-29") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	for _, l := range []string{
		`{"level":"fatal","msg":"discovery failed"}`, `time="…" level=error msg="x"`, "[ALERT]    (812) : config : [/etc] : cannot bind", "panic: nil", "Error: no such flag",
	} {
		rest := strings.Split(strings.Repeat("x y\n", 40), "\n")
		if got := worst(append([]string{l}, rest...)); got[0] != "  "+l {
			t.Errorf("%s is not among\n%s", l, strings.Join(got, "\n"))
		}
	}
	if got := worst([]string{strings.Repeat("ü", 1000)}); len([]rune(got[0])) != widest+3 {
		t.Errorf("%d wide", len([]rune(got[0])))
	}
	for n := range 60 { // what is short is whole, and nothing is longer than it may be
		var log []string
		for i := range n {
			log = append(log, "E1123 "+strings.Repeat("a", i+1))
		}
		if got := worst(log); len(got) > mostLines+1 || n > 0 && n <= mostLines-mostBad && len(got) != n {
			t.Errorf("of %d lines %d", n, len(got))
		}
	}
}
