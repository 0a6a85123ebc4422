package labtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// drifted is what is removed before each way is tried: what brings it back was there
// as root.
const drifted = "/etc/sysctl.d/99-zz-drover.conf"

// Into hosts that are as they are in the field drover gets by all the ways that ssh
// gets in, as a user whose sudo wants a password, and changes what is to be changed.
// Where it cannot be sure of a host, or of being let in, it says why and sends nothing.
func TestWaysIn(t *testing.T) {
	c := shared(t)
	t.Cleanup(func() { // by the lab's own way, which is as it was
		c.apply(t)
		c.inSync(t)
	})
	d := openDoors(t, c)
	typed := fmt.Sprintf("user = \"ops\"\n  port = %d\n  identity_file = %q\n  jump = \"root@%s:%[1]d\"\n  ", doorPort, d.path("id"), d.address("f5-a"))
	for _, test := range []struct {
		name string
		way  way
	}{
		{"jump host, key in an agent", way{
			ssh: typed + `known_hosts = "` + d.path("known_hosts") + `"`, router: `jump = "none"`, agent: true,
			home: map[string]string{"known_hosts": d.knownHosts("f5-a")},
		}},
		{"an ssh_config of the inventory's own", way{
			ssh: `config_file = "` + d.path("ssh_config") + `"`, home: map[string]string{"config": "Port 1\n"},
		}},
		{"settings only in ~/.ssh/config", way{home: map[string]string{"config": d.config("known_hosts")}}},
		{"a certificate authority", way{
			ssh: typed, router: `jump = "none"`, agent: true, home: map[string]string{"known_hosts": authority("*", d.ca)},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d.disturb(t)
			r := d.apply(t, test.way)
			if r.Code != 0 || !strings.Contains(r.Stdout, "done: 4 changes") {
				t.Fatal(r)
			}
			if strings.Contains(r.Stdout+r.Stderr, sudoPassword) {
				t.Errorf("sudo's password is told: %s", r)
			}
			for _, h := range d.hosts() {
				d.expectMended(t, h, true)
				if got := d.accepted(t, h, "ops from "+d.address("f5-a")); got != 1 {
					t.Errorf("%s let the key in %d times, from the jump host: %s", h, got, d.log(t, h))
				}
			}
			// Once as the jump host, for however many, and once as a BIG-IP.
			if got := d.accepted(t, "f5-a", "root from"); got != 2 {
				t.Errorf("the jump host let the key in %d times: %s", got, d.log(t, "f5-a"))
			}
		})
	}
	t.Run("refused", d.refuses)
}

// refuses shows whom drover does not trust, and who does not trust it.
func (d *doors) refuses(t *testing.T) {
	const node = "kube-node-1"
	keys := d.path("some_known_hosts")
	trusting := func(lines string) way {
		if err := os.WriteFile(keys, []byte(d.knownHosts("kube-master-1", "f5-a")+lines), 0o600); err != nil {
			t.Fatal(err)
		}
		return way{home: map[string]string{"config": d.config("some_known_hosts")}}
	}
	// What is refused is left alone; the rest is done.
	refused := func(t *testing.T, w way, says ...string) labkit.Result {
		t.Helper()
		d.disturb(t)
		r := d.apply(t, w)
		if r.Code != 77 {
			t.Errorf("want exit 77: %s", r)
		}
		for _, want := range says {
			if !strings.Contains(r.Stderr, want) {
				t.Errorf("%q is not said: %s", want, r)
			}
		}
		d.expectMended(t, "kube-master-1", true)
		d.expectMended(t, node, false)
		if log := d.log(t, node); !strings.Contains(log, "Connection from "+d.address("f5-a")) || strings.Contains(log, asksToLogIn) {
			t.Errorf("not a word was to be sent to %s, beyond asking for its key: %s", node, log)
		}
		if log := d.log(t, "kube-master-1"); !strings.Contains(log, asksToLogIn) {
			t.Errorf("no log tells of a login, not even kube-master-1's: %s", log)
		}
		return r
	}
	t.Run("a changed host key", func(t *testing.T) {
		other := d.keygen(t, "other", "")
		r := refused(t, trusting(d.names(node)+" "+other+"\n"), "its host key has CHANGED", fingerprint(t, other), fingerprint(t, d.hostKeys[node]), keys+":3")
		if strings.Contains(r.Stdout, node+"/") {
			t.Errorf("something was done there: %s", r)
		}
	})
	t.Run("an unknown host key", func(t *testing.T) {
		w := trusting("")
		r := refused(t, w, "its host key is not known", fingerprint(t, d.hostKeys[node]))
		add := regexp.MustCompile(`echo '[^']+' >> \S+`).FindString(r.Stderr)
		if sh := labkit.Run(t, "", "sh", "-c", add); sh.Code != 0 || add == "" {
			t.Fatalf("the command that adds it: %s", sh)
		}
		if r := d.apply(t, w); r.Code != 0 {
			t.Errorf("after %s: %s", add, r)
		}
		d.expectMended(t, node, true)
	})
	t.Run("a certificate of another authority", func(t *testing.T) {
		w := trusting(authority(d.address(node), d.keygen(t, "another", "")))
		refused(t, w, "is signed by "+fingerprint(t, d.ca)+", which is no @cert-authority for it")
	})
	t.Run("nobody opens the key", func(t *testing.T) {
		w := way{home: map[string]string{"config": strings.ReplaceAll(d.config("known_hosts"), "IdentityAgent", "#")}}
		r := d.apply(t, w)
		if want := d.path("id") + " is encrypted"; r.Code != 77 || !strings.Contains(r.Stderr, want) {
			t.Errorf("want exit 77 and %q: %s", want, r)
		}
	})
}

// asksToLogIn is in sshd's log once a client has trusted it.
const asksToLogIn = "userauth-request"

// fingerprint is a public key's.
func fingerprint(t *testing.T, public string) string {
	t.Helper()
	r := labkit.Run(t, public, "ssh-keygen", "-lf", "-")
	words := strings.Fields(r.Stdout)
	if r.Code != 0 || len(words) < 2 {
		t.Fatal(r)
	}
	return words[1]
}

// way is how drover is told to get in.
type way struct {
	ssh, router string            // attributes in the inventory
	agent       bool              // the environment names the agent
	home        map[string]string // files in ~/.ssh
}

// apply runs apply in a home of its own. No terminal belongs to it.
func (d *doors) apply(t *testing.T, w way) labkit.Result {
	t.Helper()
	for _, m := range d.machines() {
		d.root(t, m, ": > /run/doors/log")
	}
	home := filepath.Join(d.dir, strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range w.home {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := d.shape
	s.Access, s.RouterAccess, s.SudoPassword = w.ssh+"\n", w.router, d.path("sudo.secret")
	env := []string{"HOME=" + home, "SSH_AUTH_SOCK="}
	if w.agent {
		env[1] += d.agent
	}
	args := append([]string{"-w", "env"}, env...)
	r := labkit.Run(t, "", "setsid", append(args, os.Getenv("DROVER"), "-i", d.inventory(t, d.Name+"-doors", s), "apply", "--auto-approve")...)
	t.Logf("apply: %s", r.Took.Round(10*time.Millisecond))
	return r
}

// disturb takes something away on each host.
func (d *doors) disturb(t *testing.T) {
	t.Helper()
	for _, h := range d.hosts() {
		d.root(t, h, "rm -f "+drifted)
	}
}

func (d *doors) expectMended(t *testing.T, host string, want bool) {
	t.Helper()
	if got := d.root(t, host, "test -s "+drifted+" && echo there || echo gone") == "there"; got != want {
		t.Errorf("%s: mended: %v, want %v", host, got, want)
	}
}
