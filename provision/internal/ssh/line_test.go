package ssh_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// Connecting and having a first command begin take nine round trips, and one more
// to send it its stdin; another command takes three in all. The count is checked
// against time, which cannot be miscounted.
func TestRoundTrips(t *testing.T) {
	const latency = 50 * time.Millisecond
	_, s := served(t, hosttest.Config{Latency: latency})
	start := time.Now()
	c := dial(t, targetOf(s), bare(t))
	for _, want := range []int64{10, 13} {
		if _, err := c.Run(context.Background(), run("true")); err != nil {
			t.Fatal(err)
		}
		if got := s.RoundTrips(); got != want {
			t.Errorf("%d round trips, want %d", got, want)
		}
		// Loopback answers a SYN at once, and the machine says its version unasked.
		if took := time.Since(start); took < time.Duration(want-2)*latency {
			t.Errorf("%d round trips of %s took only %s", want, latency, took)
		}
	}
}

// What a machine says takes the time its line needs.
func TestBandwidth(t *testing.T) {
	h, s := served(t, hosttest.Config{Bandwidth: 1 << 20})
	h.Edit(func(st *hosttest.State) {
		if err := st.Put("/etc/large", strings.Repeat("x", 256<<10), 0o644, "root:root"); err != nil {
			t.Error(err)
		}
	})
	c := dial(t, targetOf(s), bare(t))
	start := time.Now()
	res, err := c.Probe(context.Background(), run("cat", "/etc/large"))
	if took := time.Since(start); err != nil || len(res.Stdout) != 256<<10 || took < 250*time.Millisecond {
		t.Errorf("%d bytes in %s, %v", len(res.Stdout), took, err)
	}
}

// A line that drops in the middle of an answer is no short answer.
func TestDropInAnAnswer(t *testing.T) {
	h, s := served(t, hosttest.Config{DropAfter: 64 << 10})
	h.Edit(func(st *hosttest.State) {
		if err := st.Put("/etc/large", strings.Repeat("x", 128<<10), 0o644, "root:root"); err != nil {
			t.Error(err)
		}
	})
	c := dial(t, targetOf(s), bare(t))
	_, err := c.Probe(context.Background(), run("cat", "/etc/large"))
	wantUnreachable(t, err, "cut")
	if !host.Lost(err) {
		t.Errorf("%v: it is not told that the connection is gone for good", err)
	}
}

// A machine whose kernel still takes connections, and on which nothing answers.
func TestDeadMachine(t *testing.T) {
	_, s := served(t, hosttest.Config{Dead: true})
	o := bare(t)
	o.DialTimeout = time.Second // a busy machine takes a while to connect
	_, err := ssh.Dial(context.Background(), targetOf(s), o)
	wantUnreachable(t, err, "talking SSH", "no answer within 1s")
}

// Files that say how to reach hosts are read once for all who share them.
func TestFilesAreReadOnce(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	o := bare(t)
	o.Files = &ssh.Files{}
	dial(t, targetOf(s), o)
	for _, file := range []string{s.KnownHosts, s.KeyFile} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	dial(t, targetOf(s), o)
	if _, err := ssh.Dial(context.Background(), targetOf(s), bare(t)); err == nil {
		t.Error("who shares nothing read files that are gone")
	}
}
