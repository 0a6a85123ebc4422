package provision

import (
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// A run looks again while the masters are still being told that it has begun; one that
// comes to nothing under the lock is not remembered.
func TestWhatTheMastersAreTold(t *testing.T) {
	machine := hosttest.New(t, "m")
	server := hosttest.Serve(t, machine, hosttest.Config{})
	target := ssh.Target{
		Name: "m", Address: server.Address, Port: server.Port, User: "root",
		IdentityFile: server.KeyFile, KnownHosts: server.KnownHosts,
	}
	s := begin(&inventory.Cluster{Name: "one", KubeMasters: []inventory.Host{{Name: "m"}}}, Options{SSH: ssh.Options{ConfigFiles: []string{}}})
	defer s.Close()
	s.reach(t.Context(), []ssh.Target{target}, nil, nil)
	lock := func() *Lock {
		l, err := s.Lock(t.Context(), LockRequest{Reason: "test", Lease: time.Minute})
		if err != nil {
			t.Fatal(err, s.Away)
		}
		return l
	}
	lock().Release(Outcome{Kind: history.Done})
	l := lock()
	l.begin()
	s.reach(t.Context(), []ssh.Target{target}, nil, nil) // the race detector watches
	l.Release(Outcome{Kind: history.Done})
	runs, err := history.Read(t.Context(), s.conns["m"])
	if err != nil || len(runs) != 2 || runs[0].Outcome != history.Begun || runs[1].Outcome != history.Done {
		t.Errorf("%+v, %v", runs, err)
	}
}

// A connection to a host that another look is not at stays: whoever closes the session
// has to find it, and the fleet's lock may be held by way of it.
func TestLookingElsewhereKeepsConnections(t *testing.T) {
	s := begin(&inventory.Cluster{Name: "one"}, Options{SSH: ssh.Options{ConfigFiles: []string{}}})
	defer s.Close()
	servers := map[string]*hosttest.Server{}
	at := func(name string) []ssh.Target {
		if servers[name] == nil {
			servers[name] = hosttest.Serve(t, hosttest.New(t, name), hosttest.Config{})
		}
		server := servers[name]
		return []ssh.Target{{Name: name, Address: server.Address, Port: server.Port, User: "root", IdentityFile: server.KeyFile, KnownHosts: server.KnownHosts}}
	}
	s.reach(t.Context(), at("a"), nil, nil)
	a := s.conns["a"]
	s.reach(t.Context(), at("b"), nil, nil)
	if a == nil || s.conns["a"] != a || s.conns["b"] == nil || len(s.Away) > 0 {
		t.Fatalf("%v, %v", s.conns, s.Away)
	}
	servers["c"] = servers["b"]
	servers["b"].Vanish(true)
	s.reach(t.Context(), at("c"), nil, nil)
	s.reach(t.Context(), at("a"), nil, nil)
	if s.conns["a"] != a || s.Away["c"] == nil {
		t.Errorf("%v, %v", s.conns, s.Away)
	}
}
