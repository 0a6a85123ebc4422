package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/puppetdbtest"
)

// attesting is a session over hosts n0, n1, … of which PuppetDB is asked.
func attesting(pdb *puppetdbtest.Server, hosts int, warn func(string)) *Session {
	c := &inventory.Cluster{Name: "one", PuppetDB: inventory.DefaultPuppetDB()}
	c.PuppetDB.URL, c.PuppetDB.HostKeys = pdb.URL, true
	for n := range hosts {
		c.KubeNodes = append(c.KubeNodes, inventory.Host{Name: fmt.Sprintf("n%d", n), Certname: fmt.Sprintf("n%d.example.net", n)})
	}
	return begin(c, Options{Warn: warn})
}

func keyed(n int, age time.Duration) puppetdbtest.Node {
	node := puppetdbtest.Host(fmt.Sprintf("n%d.example.net", n), "one", "x", "192.0.2.1", []byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x01k"))
	node.FactsAt = time.Now().Add(-age) // PuppetDB tells the time in whole seconds
	return node
}

func TestAttest(t *testing.T) {
	pdb := puppetdbtest.ServePlain(t, keyed(0, time.Minute), keyed(1, 3*time.Hour+30*time.Second), keyed(2, -time.Hour))
	s := attesting(pdb, 4, func(text string) { t.Error(text) })
	var targets []ssh.Target
	for n := range 3 {
		targets = append(targets, ssh.Target{Name: fmt.Sprintf("n%d", n)})
	}
	s.askForKeys(t.Context(), targets)
	for n, want := range []string{"", "3h0m", "from now", "no active host n3.example.net"} {
		a := s.attested(fmt.Sprintf("n%d", n))(t.Context())
		if !strings.HasPrefix(a.By, "PuppetDB's ssh fact of n") || (want == "") != (a.Err == nil) || a.Err != nil && !strings.Contains(a.Err.Error(), want) || (len(a.Keys) == 1) != (want == "") {
			t.Errorf("n%d: %+v", n, a)
		}
	}
	if asked := pdb.Asked(); len(asked) != 2 { // n3 was not about to be connected to
		t.Errorf("asked %d times", len(asked))
	}
	again := begin(s.Cluster, s.options) // as another look of the same run
	again.askForKeys(t.Context(), targets)
	if a := again.attested("n0")(t.Context()); a.Err != nil || len(pdb.Asked()) != 2 {
		t.Errorf("%v, asked %d times", a.Err, len(pdb.Asked()))
	}
}

func TestNobodyAsksPuppetDBWithoutNeed(t *testing.T) {
	pdb := puppetdbtest.ServePlain(t)
	s := attesting(pdb, 3, nil)
	s.Cluster.KubeNodes[0].SSH.HostKey = "ssh-ed25519 AAAA"
	s.Cluster.KubeNodes[1].Certname = ""
	for _, name := range []string{"n0", "n1", "none"} {
		if s.attested(name) != nil {
			t.Errorf("%s is asked about", name)
		}
	}
	s.askForKeys(t.Context(), []ssh.Target{{Name: "n0"}, {Name: "n1"}})
	for _, change := range []func(*inventory.PuppetDB){
		func(p *inventory.PuppetDB) { p.HostKeys = false }, func(p *inventory.PuppetDB) { p.URL = "" },
	} {
		c := *s.Cluster
		change(&c.PuppetDB)
		other := begin(&c, Options{})
		other.askForKeys(t.Context(), []ssh.Target{{Name: "n2"}})
		if other.attested("n2") != nil {
			t.Error("it is asked")
		}
	}
	if len(pdb.Asked()) > 0 {
		t.Error("it was asked")
	}
}

// One warning, whatever the number of hosts, and a host that is given up waits no more.
func TestPuppetDBDoesNotAnswer(t *testing.T) {
	pdb := puppetdbtest.ServePlain(t)
	pdb.Make(puppetdbtest.Trouble{Hang: true})
	s := attesting(pdb, 2, nil)
	given, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("given up"))
	if a := s.attested("n0")(given); a.Err == nil || a.Err.Error() != "given up" {
		t.Errorf("%+v", a)
	}

	pdb.Make(puppetdbtest.Trouble{Status: 500})
	warned := make(chan string, 10)
	s = attesting(pdb, 2, func(text string) { warned <- text })
	s.askForKeys(t.Context(), []ssh.Target{{Name: "n0"}, {Name: "n1"}})
	for _, name := range []string{"n0", "n1"} {
		if a := s.attested(name)(t.Context()); a.Err == nil || !strings.Contains(a.Err.Error(), "could not be asked") {
			t.Errorf("%+v", a)
		}
	}
	if len(warned) != 1 || !strings.Contains(<-warned, "500 Internal Server Error") {
		t.Error("one warning is wanted")
	}
}
