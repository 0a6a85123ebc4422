package ssh_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = ssh.Dial(context.Background(), ssh.Target{Name: "node-1", Address: "127.0.0.1", Port: port, User: "root"}, bare(t))
	wantUnreachable(t, err, "node-1", "connecting to 127.0.0.1", "refused", "fix: is the machine on", "root@127.0.0.1 true`")
}

// Something listens and never speaks SSH.
func TestDialTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target := ssh.Target{Name: "node-1", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "root"}
	o := bare(t)
	o.DialTimeout = 50 * time.Millisecond
	_, err = ssh.Dial(context.Background(), target, o)
	wantUnreachable(t, err, "talking SSH", "no answer within 50ms")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = ssh.Dial(ctx, target, bare(t))
	wantUnreachable(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestConnectionCut(t *testing.T) {
	for _, when := range []hosttest.Moment{hosttest.Before, hosttest.After} {
		h, s := served(t, hosttest.Config{})
		c := dial(t, targetOf(s), bare(t))
		h.Inject(hosttest.Fault{Match: "/etc/x", Do: hosttest.Cut, When: when})
		err := c.WriteFile(context.Background(), "/etc/x", []byte("x"), host.FileMeta{Mode: 0o644})
		wantUnreachable(t, err, "node-1", "write /etc/x", "cut", "fix: see whether the machine is on")
		if _, there := h.State().Files["/etc/x"]; there != (when == hosttest.After) {
			t.Errorf("cut %q the command: written: %v", when, there)
		}
		_, err = c.Run(context.Background(), run("true"))
		wantUnreachable(t, err, "cut")
		if !host.Lost(err) {
			t.Errorf("%v: it is not told that the connection is gone for good", err)
		}
		_, err = c.DialContext(context.Background(), "tcp", "127.0.0.1:1")
		wantUnreachable(t, err, "cut")
		if !host.Lost(err) {
			t.Errorf("%v: it is not told that the connection is gone for good", err)
		}
	}
}

// A command that takes too long is no lost connection.
func TestALateCommandIsNotLost(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	c := dial(t, targetOf(s), bare(t))
	h.Inject(hosttest.Fault{Match: "true", Do: hosttest.Hang})
	cmd := run("true")
	cmd.Limit = 50 * time.Millisecond
	_, err := c.Run(context.Background(), cmd)
	wantUnreachable(t, err, "no end within")
	if host.Lost(err) {
		t.Errorf("%v: it is told that the connection is gone for good", err)
	}
}

// A command that fails is told apart from one whose connection is cut, also when
// the connection is cut right after it.
func TestFailedIsNotCut(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	c := dial(t, targetOf(s), bare(t))
	_, err := c.Run(context.Background(), run("false"))
	var e *host.ExitError
	if !errors.As(err, &e) || e.Exit != 1 {
		t.Errorf("%T %v", err, err)
	}
	if res, err := c.Probe(context.Background(), run("false")); err != nil || res.Exit != 1 {
		t.Errorf("%d %v", res.Exit, err)
	}
}

func TestDeadPeer(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Do: hosttest.Hang})
	o := bare(t)
	o.KeepAliveInterval, o.KeepAliveCount = 20*time.Millisecond, 3
	c := dial(t, targetOf(s), o)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(context.Background(), run("true"))
		ended <- err
	}()
	for len(h.Ops()) == 0 { // it has arrived
		time.Sleep(time.Millisecond)
	}
	// A host that only takes its time is left alone.
	select {
	case err := <-ended:
		t.Fatalf("given up on a host that answers keepalives: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	s.Freeze()
	select {
	case err := <-ended:
		wantUnreachable(t, err, "silent for", "keepalives")
	case <-time.After(10 * time.Second):
		t.Fatal("a dead peer is not noticed")
	}
}

func TestCancel(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	c := dial(t, targetOf(s), bare(t))
	h.Inject(hosttest.Fault{Match: "true", Do: hosttest.Hang})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for len(h.Ops()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := c.Run(ctx, run("true"))
	wantUnreachable(t, err, "running true")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if !h.Ops()[0].Stopped || !strings.Contains(err.Error(), "it was stopped") {
		t.Errorf("the remote command goes on: %v", err)
	}
	if _, err := c.Run(context.Background(), run("true")); err != nil {
		t.Errorf("the connection is spoilt: %v", err)
	}
}

// Stopping may fail too; then that is said.
func TestCannotBeStopped(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Match: "true", Do: hosttest.Hang})
	h.Inject(hosttest.Fault{Match: "drover-stop", Do: hosttest.Cut})
	_, err := dial(t, targetOf(s), bare(t)).Run(context.Background(), host.Cmd{Argv: []string{"true"}, Limit: 50 * time.Millisecond})
	wantUnreachable(t, err, "no end within 50ms", "may still run", "cut")
}

func TestLimit(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Do: hosttest.Hang})
	_, err := dial(t, targetOf(s), bare(t)).Run(context.Background(), host.Cmd{Argv: []string{"true"}, Limit: 50 * time.Millisecond})
	wantUnreachable(t, err, "no end within 50ms")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestClosed(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	c := dial(t, targetOf(s), bare(t))
	c.Close()
	_, err := c.Run(context.Background(), run("true"))
	wantUnreachable(t, err, "closed")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
