package puppetdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/puppetdb"
	"github.com/droverctl/drover/provision/puppetdbtest"
)

// ed25519 is a key as it goes over the wire.
func ed25519(n byte) []byte {
	return append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), []byte(strings.Repeat(string(rune('a'+n)), 32))...)
}

func rsa() []byte {
	return []byte("\x00\x00\x00\x07ssh-rsa\x00\x00\x00\x03\x01\x00\x01\x00\x00\x00\x01\x07")
}

func ecdsa() []byte { return []byte("\x00\x00\x00\x13ecdsa-sha2-nistp256\x00\x00\x00\x08nistp256") }

func access(s *puppetdbtest.Server) puppetdb.Access {
	return puppetdb.Access{URL: s.URL, Cert: s.Cert, Key: s.Key, CA: s.CA}
}

func open(t *testing.T, a puppetdb.Access) *puppetdb.Client {
	t.Helper()
	c, err := puppetdb.Open(a, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func hosts(c *puppetdb.Client, others ...string) ([]puppetdb.Node, map[string]puppetdb.Status, error) {
	nodes, statuses, _, err := c.Hosts(context.Background(), "prod1", []string{"facts.networking.ip", "facts.kernel"}, others)
	return nodes, statuses, err
}

func TestHosts(t *testing.T) {
	ago := time.Now().Add(-time.Hour)
	failed := puppetdbtest.Host("n3.example.net", "prod1", "kube_node", "10.90.0.23", rsa(), ed25519(0), ecdsa())
	failed.Report, failed.NoopPending, failed.Cached = "failed", true, "on_failure"
	off, expired := puppetdbtest.Host("n2.example.net", "prod1", "kube_node", "10.90.0.22"), puppetdbtest.Host("n1.example.net", "prod1", "kube_node", "10.90.0.21")
	off.Deactivated, expired.Expired = ago, ago
	other := puppetdbtest.Host("n9.example.net", "prod2", "kube_node", "10.90.0.29")
	for name, s := range map[string]*puppetdbtest.Server{
		"TLS":   puppetdbtest.Serve(t, failed, off, expired, other),
		"plain": puppetdbtest.ServePlain(t, failed, off, expired, other),
	} {
		t.Run(name, func(t *testing.T) {
			nodes, statuses, err := hosts(open(t, access(s)), "n9.example.net", "n8.example.net")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, n := range nodes {
				names = append(names, n.Certname)
			}
			if !slices.Equal(names, []string{"n1.example.net", "n2.example.net", "n3.example.net"}) {
				t.Fatalf("%v", names)
			}
			for path, want := range map[string]string{
				"facts.networking.ip": "10.90.0.23", "facts.networking.interfaces.eth0.ip": "10.90.0.23", "facts.kernel": "Linux", "trusted.extensions.pp_zone": "esx-01",
				"facts.networking": "", "facts.networking.mtu": "", "facts.kernel.x": "", "facts.none": "", "facts.networking.none": "", "trusted.extensions.none": "",
			} {
				if got, ok := nodes[2].Text(path); got != want || ok != (want != "") {
					t.Errorf("%s is %q, %v", path, got, ok)
				}
			}
			if e := nodes[2].Extensions; e["pp_role"] != "kube_node" || e["pp_cluster"] != "prod1" {
				t.Errorf("%v", e)
			}
			if s := nodes[2].Status; !s.Active() || s.Report != "failed" || !s.NoopPending || !s.CachedOnFailure {
				t.Errorf("%+v", s)
			}
			if nodes[0].Status.Active() || nodes[0].Status.Expired.IsZero() || nodes[1].Status.Active() || nodes[1].Status.Deactivated.IsZero() {
				t.Errorf("%+v, %+v", nodes[0].Status, nodes[1].Status)
			}
			if !statuses["n9.example.net"].Active() || statuses["n8.example.net"].Known {
				t.Errorf("%+v", statuses)
			}
			keys := nodes[2].Keys()
			if len(keys) != 3 || string(keys[0].Blob) != string(ed25519(0)) || keys[0].Type != "ssh-ed25519" || keys[1].Type != "ecdsa-sha2-nistp256" || keys[2].Type != "ssh-rsa" {
				t.Errorf("%v", keys)
			}
			if age := time.Since(nodes[2].FactsAt); age < 50*time.Second || age > 2*time.Minute {
				t.Errorf("its facts are %s old", age)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	off := puppetdbtest.Host("n2.example.net", "prod1", "kube_node", "10.90.0.22", ed25519(2))
	off.Deactivated = time.Now()
	old := puppetdbtest.Host("n3.example.net", "prod1", "kube_node", "10.90.0.23", ed25519(3))
	old.FactsAt = time.Now().Add(-5 * time.Hour)
	s := puppetdbtest.Serve(t, puppetdbtest.Host("n1.example.net", "other", "x", "10.90.0.21", ed25519(1)), off, old)
	names := []string{"n1.example.net", "n2.example.net", "n3.example.net", "n4.example.net"}
	for i := range 2000 {
		names = append(names, fmt.Sprintf("m%d.example.net", i))
	}
	keys, err := open(t, access(s)).Keys(context.Background(), names)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || string(keys["n1.example.net"].Keys[0].Blob) != string(ed25519(1)) {
		t.Errorf("%v", keys)
	}
	if age := keys["n3.example.net"].Age; age < 5*time.Hour-time.Minute || age > 5*time.Hour+time.Minute {
		t.Errorf("the fact is %s old", age)
	}
	if asked := s.Asked(); len(asked) != 3 {
		t.Errorf("asked %d times", len(asked))
	}
}

// Whatever goes wrong is an error, and of the kind that it is.
func TestTrouble(t *testing.T) {
	s := puppetdbtest.Serve(t, puppetdbtest.Host("n1.example.net", "prod1", "kube_node", "10.90.0.21"))
	for name, c := range map[string]struct {
		trouble puppetdbtest.Trouble
		words   string
		as      any
	}{
		"refused":               {puppetdbtest.Trouble{Status: 403}, "403 Forbidden: something is wrong here", new(*host.AuthError)},
		"broken":                {puppetdbtest.Trouble{Status: 500}, "500 Internal Server Error", nil},
		"broken at the second":  {puppetdbtest.Trouble{Entity: "nodes", Status: 503}, "for nodes: it answers 503", nil},
		"cut":                   {puppetdbtest.Trouble{Cut: true}, "it ended before its end", new(*puppetdb.AnswerError)},
		"cut at the second":     {puppetdbtest.Trouble{Entity: "nodes", Cut: true}, "it ended before its end", new(*puppetdb.AnswerError)},
		"no list":               {puppetdbtest.Trouble{Raw: `{"error": "x"}`}, "it is not a list", new(*puppetdb.AnswerError)},
		"no JSON":               {puppetdbtest.Trouble{Raw: "[nonsense]"}, "invalid character", new(*puppetdb.AnswerError)},
		"empty":                 {puppetdbtest.Trouble{Raw: ""}, "", nil}, // no trouble
		"two":                   {puppetdbtest.Trouble{Raw: "[][]"}, "something comes after its end", new(*puppetdb.AnswerError)},
		"no certname":           {puppetdbtest.Trouble{Raw: `[{"timestamp": null}]`}, "row 1: it has no certname", new(*puppetdb.AnswerError)},
		"a number for it":       {puppetdbtest.Trouble{Raw: `[{"certname": 1}]`}, "row 1:", new(*puppetdb.AnswerError)},
		"no time":               {puppetdbtest.Trouble{Raw: `[{"certname": "a"}, {"certname": "b", "timestamp": "yesterday"}]`}, "row 2: b: timestamp", new(*puppetdb.AnswerError)},
		"no map":                {puppetdbtest.Trouble{Raw: `[{"certname": "a", "trusted.extensions": 1}]`}, "trusted.extensions is no map", new(*puppetdb.AnswerError)},
		"a status without time": {puppetdbtest.Trouble{Entity: "nodes", Raw: `[{"certname": "a", "deactivated": true}]`}, "a: deactivated", new(*puppetdb.AnswerError)},
		"a row without end":     {puppetdbtest.Trouble{Raw: `[{"certname": "` + strings.Repeat("a", 5<<20)}, "it is too large", new(*puppetdb.AnswerError)},
	} {
		t.Run(name, func(t *testing.T) {
			s.Make(c.trouble)
			nodes, _, err := hosts(open(t, access(s)))
			if c.words == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.words) || len(nodes) > 0 || c.as != nil && !errors.As(err, c.as) {
				t.Errorf("%d nodes, %v", len(nodes), err)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	s := puppetdbtest.Serve(t)
	s.Make(puppetdbtest.Trouble{Hang: true})
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errors.New("it took too long"))
	defer cancel()
	_, err := open(t, access(s)).Keys(ctx, []string{"a"})
	var away *host.UnreachableError
	if !errors.As(err, &away) || !strings.Contains(err.Error(), "it took too long") {
		t.Error(err)
	}
}

func TestTrust(t *testing.T) {
	s, other := puppetdbtest.Serve(t), puppetdbtest.Serve(t)
	cert, key := s.Stranger(t)
	for name, c := range map[string]struct {
		a     puppetdb.Access
		words string
	}{
		"our certificate is a stranger's": {puppetdb.Access{URL: s.URL, Cert: cert, Key: key, CA: s.CA}, "does not take the certificate"},
		"its certificate is a stranger's": {puppetdb.Access{URL: s.URL, Cert: s.Cert, Key: s.Key, CA: other.CA}, "unknown authority"},
		"its name is another":             {puppetdb.Access{URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1), Cert: s.Cert, Key: s.Key, CA: s.CA}, "not localhost"},
	} {
		_, _, err := hosts(open(t, c.a))
		var auth *host.AuthError
		if !errors.As(err, &auth) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, a := range map[string]puppetdb.Access{
		"plain to elsewhere": {URL: "http://puppetdb.example.net:8080"}, "no URL": {URL: "puppetdb:8081"}, "no file": {URL: s.URL, Cert: "/none", Key: s.Key, CA: s.CA},
		"no authority": {URL: s.URL, Cert: s.Cert, Key: s.Key, CA: "/none"}, "an authority that is none": {URL: s.URL, Cert: s.Cert, Key: s.Key, CA: s.Key},
	} {
		if _, err := puppetdb.Open(a, time.Now); err == nil {
			t.Errorf("%s: it opens", name)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, _, err = hosts(open(t, puppetdb.Access{URL: "http://" + l.Addr().String()}))
	var away *host.UnreachableError
	if !errors.As(err, &away) {
		t.Error(err)
	}
}

func TestSomethingElseAnswers(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>[]</html>") }))
	defer web.Close()
	if _, _, err := hosts(open(t, puppetdb.Access{URL: web.URL})); err == nil || !strings.Contains(err.Error(), "is this PuppetDB's URL") {
		t.Error(err)
	}
}

// Who was asked answers, and nobody that it names.
func TestRedirect(t *testing.T) {
	other := puppetdbtest.ServePlain(t, puppetdbtest.Host("n1.example.net", "prod1", "kube_node", "10.90.0.21"))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer web.Close()
	if _, _, err := hosts(open(t, puppetdb.Access{URL: web.URL})); err == nil || !strings.Contains(err.Error(), "307") || len(other.Asked()) > 0 {
		t.Error(err)
	}
}

func TestWithAgent(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	puppet := func(script string) {
		if err := os.WriteFile(filepath.Join(dir, "puppet"), []byte("#!/bin/sh\n"+script), 0o755); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	ask := func(a puppetdb.Access) (puppetdb.Access, error) { return a.WithAgent(context.Background()) }
	if _, err := os.Stat("/opt/puppetlabs/bin/puppet"); err != nil {
		if _, err := ask(puppetdb.Access{URL: "https://x"}); err == nil || !strings.Contains(err.Error(), "give cert, key and ca") {
			t.Errorf("no puppet: %v", err)
		}
	}
	puppet(`[ "$*" = "config print --section agent hostcert hostprivkey localcacert" ] || exit 9
echo "hostprivkey = /ssl/private_keys/a.pem"
echo "hostcert = /ssl/certs/a.pem"
echo "localcacert = /ssl/certs/ca.pem"
`)
	want := puppetdb.Access{URL: "https://x", Cert: "/ssl/certs/a.pem", Key: "/ssl/private_keys/a.pem", CA: "/mine"}
	if got, err := ask(puppetdb.Access{URL: "https://x", CA: "/mine"}); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	puppet("echo hostcert = /x\n")
	if _, err := ask(puppetdb.Access{URL: "https://x"}); err == nil || !strings.Contains(err.Error(), "says nothing of hostprivkey") {
		t.Error(err)
	}
	puppet("echo broken >&2; exit 1\n")
	if _, err := ask(puppetdb.Access{URL: "https://x"}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Error(err)
	}
	for _, a := range []puppetdb.Access{{URL: "http://127.0.0.1:8080"}, {URL: "https://x", Cert: "a", Key: "b", CA: "c"}} {
		if got, err := ask(a); got != a || err != nil {
			t.Errorf("%+v needs no agent: %+v, %v", a, got, err)
		}
	}
}
