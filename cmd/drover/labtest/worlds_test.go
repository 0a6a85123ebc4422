package labtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// world is a way in which the world is not as drover needs it.
type world struct {
	// spoil makes it so, and mend undoes that: on the machines, or in what the
	// inventory says.
	spoil, mend act
	inventory   func(t *testing.T, c *cluster, s *shape)
	// codes are the exit codes of what is run then.
	codes map[string]int
	// says is what each of them says: the host, the cause and what to do.
	says []string
	// reaches says that apply gets somewhere before it strikes; else nothing at all
	// may be touched.
	reaches bool
	// begins are hosts that apply has begun with when it strikes: their facts are marked,
	// for more may have been changed, and nothing is.
	begins []string
	// then is what else is to be seen; mended, once all is well again.
	then, mended act
	// instead is what the inventory says from then on instead of what it said before
	// there was anything wrong.
	instead func(s *shape)
	clear   act // what instead left of it
}

type act func(t *testing.T, c *cluster)

// on is a shell script that root runs on a machine, however sudo feels.
func on(machine, script string) act {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		c.root(t, machine, script)
	}
}

// root runs a script as root, without sudo; it has to succeed.
func (c *cluster) root(t *testing.T, machine, script string) string {
	t.Helper()
	out, err := c.try(t.Context(), machine, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is the lab's own until openDoors.
func (c *cluster) try(ctx context.Context, machine, script string) (string, error) {
	if !c.open {
		return c.lab.try(ctx, machine, script)
	}
	config := filepath.Join(stateDir, c.Name, "ssh_config")
	r, err := labkit.Execute(labkit.Command(ctx, "ssh", "-F", config, "-l", "root", machine, "bash -ec "+quote(script)))
	if err == nil && r.Code != 0 {
		err = errors.New(r.String())
	}
	return strings.TrimSpace(r.Stdout), err
}

// openDoors lets root in with the lab's key, for when sudo does not.
func (c *cluster) openDoors(t *testing.T) {
	t.Helper()
	for _, h := range c.hosts() {
		c.ssh(t, h, "install -m 600 ~ops/.ssh/authorized_keys /root/.ssh/authorized_keys")
	}
	c.open = true
}

// Whatever is wrong with the world: what is said names the host, the cause and what
// to do about it, before anything is touched where it can be known by then; the exit
// code says of which kind it is; and what is mended is well. The worlds come one
// after the other: those that bare machines show, then one in which a cluster is
// begun, then those that need one.
func TestWrongWorlds(t *testing.T) {
	c := begin(t, worldsLab, shape{Masters: 1, Nodes: 1, Routers: 1, Install: true}, "--without", "kube-node-1=haproxy,conntrack")
	c.openDoors(t)
	c.eachWorld(t, "bare/", bareWorlds(), func(t *testing.T) {
		if r := c.drover(t, "preflight"); r.Code != 0 {
			t.Error(r)
		}
	})
	if !t.Run("begun/a connection that is dropped in the middle of an upload", func(t *testing.T) {
		c.world(t, droppedUpload(), func(t *testing.T) { c.bootstrap(t) })
	}) {
		t.FailNow() // the rest would only say that there is no cluster
	}
	if got := c.root(t, "kube-node-1", "command -v haproxy conntrack; systemctl is-enabled haproxy || :; systemctl is-active haproxy || :"); got != "/usr/sbin/haproxy\n/usr/sbin/conntrack\ndisabled\ninactive" {
		t.Errorf("packages that were to be installed, and nothing else of them: %s", got)
	}
	c.eachWorld(t, "member/", memberWorlds(), func(t *testing.T) {
		c.apply(t)
		c.inSync(t)
	})
	soon(c.routesHeld)(t)
}

func (c *cluster) eachWorld(t *testing.T, prefix string, worlds map[string]world, well func(t *testing.T)) {
	for name, w := range worlds {
		t.Run(prefix+name, func(t *testing.T) { c.world(t, w, well) })
	}
}

// world shows one; well shows that things are well again.
func (c *cluster) world(t *testing.T, w world, well func(t *testing.T)) {
	before := c.shape
	t.Cleanup(func() { c.set(t, before) })
	if w.spoil != nil {
		w.spoil(t, c)
	}
	s := before
	if w.inventory != nil {
		w.inventory(t, c, &s)
	}
	c.set(t, s)
	seen := c.hostTraces(t, c.hosts()...)
	c.expectSaid(t, w)
	if !w.reaches {
		var marked touched
		for _, h := range w.begins {
			marked.files = append(marked.files, h+" "+factFile)
		}
		expectMoved(t, seen, c.hostTraces(t, c.hosts()...), marked)
	}
	if w.then != nil {
		w.then(t, c)
	}
	if w.mend != nil {
		w.mend(t, c)
	}
	s = before
	if w.instead != nil {
		w.instead(&s)
	}
	c.set(t, s)
	well(t)
	if w.mended != nil {
		w.mended(t, c)
	}
	if w.clear != nil {
		w.clear(t, c)
	}
}

// expectSaid runs drover in a wrong world.
func (c *cluster) expectSaid(t *testing.T, w world) {
	t.Helper()
	for verb, code := range w.codes {
		args := []string{verb}
		if verb == "apply" {
			args = append(args, "--auto-approve")
		}
		r := c.drover(t, args...)
		if r.Code != code {
			t.Errorf("want exit %d: %s", code, r)
		}
		for _, word := range w.says {
			if !strings.Contains(r.Stdout+r.Stderr, word) {
				t.Errorf("it does not say %q: %s", word, r)
			}
		}
	}
}

// refused are the exit codes where a check of the preflight FAILs.
func refused() map[string]int { return map[string]int{"preflight": 1, "apply": 1} }

// found is what is said of a finding: where, what, and with which fix.
func found(check, host, text, fix string) []string {
	return []string{fmt.Sprintf("FAIL    %s  %s\n", check, host), text, "fix: " + fix}
}
