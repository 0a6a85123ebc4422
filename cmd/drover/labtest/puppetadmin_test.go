package labtest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// admin is the machine that drover is run on by Puppet, which is also the Puppet server.
const admin = "puppet"

// Where things are on the admin host: as the module's README has it.
const (
	adminInventory = "/etc/drover"
	adminSite      = "/etc/puppet/code/environments/production/manifests/site.pp"
	adminModules   = "/etc/puppet/code/environments/production/modules"
)

// puppetry is a cluster that Puppet runs drover for. The test has an inventory of its
// own, in which all hosts are that have been let in, to look at the cluster from outside.
type puppetry struct {
	*cluster
	bare map[string][]string // hosts' disks before anything was done
}

// beginPuppet makes the machines, starts the Puppet server, and gives the admin host
// what people give it: drover, the module, keys, and the part of the inventory that is
// not the hosts'.
func beginPuppet(t *testing.T, s shape) *puppetry {
	t.Helper()
	p := &puppetry{cluster: begin(t, puppetLab, s, "--puppet"), bare: map[string][]string{}}
	start := time.Now()
	p.ssh(t, admin, "puppet-server-up")
	t.Logf("puppetserver and PuppetDB started in %s", time.Since(start).Round(time.Second))
	p.put(t, "/usr/bin/drover", 0o755, read(t, os.Getenv("DROVER")))
	p.put(t, adminInventory+"/id_ed25519", 0o600, read(t, filepath.Join(stateDir, p.Name, "id_ed25519")))
	p.put(t, adminInventory+"/artifacts.lock.json", 0o644, read(t, filepath.Join(labkit.WorkDir(), "artifacts.lock.json")))
	p.put(t, adminInventory+"/routers", 0o644, p.routerKeys(t))
	p.put(t, adminInventory+"/00-cluster.hcl", 0o644, p.base(t))
	p.untar(t, adminModules, "../../../examples/puppet")
	for _, h := range s.hosts() {
		role := "kube_node"
		if slices.Contains(s.masters(), h) {
			role = "kube_master"
		}
		// As an image or an installer would leave it: what the certificate is to say. Without
		// a connection of its own, the second request for one takes the server 30 s.
		p.ssh(t, h, fmt.Sprintf("cd /etc/puppet && printf '[main]\\nhttp_keepalive_timeout = 0\\n' >> puppet.conf && "+
			"printf 'extension_requests:\\n  pp_role: %s\\n  pp_cluster: %s\\n  pp_zone: %s\\n' > csr_attributes.yaml", role, p.Name, h))
	}
	return p
}

// base is the part of the inventory that people write: the masters' names, and no host.
func (p *puppetry) base(t *testing.T) string {
	t.Helper()
	s := p.shape
	s.Unknown, s.Missing = s.masters(), s.hosts()
	s.KnownHosts, s.Identity, s.Lock = adminInventory+"/routers", adminInventory+"/id_ed25519", adminInventory+"/artifacts.lock.json"
	return read(t, p.inventory(t, p.Name+"-base", s))
}

// routerKeys are the host keys that no fragment brings.
func (p *puppetry) routerKeys(t *testing.T) string {
	t.Helper()
	var own strings.Builder
	for line := range strings.Lines(read(t, filepath.Join(stateDir, p.Name, "known_hosts"))) {
		if slices.ContainsFunc(p.routers(), func(r string) bool { return strings.HasPrefix(line, r+",") }) {
			own.WriteString(line)
		}
	}
	return own.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// put writes a file on the admin host.
func (p *puppetry) put(t *testing.T, path string, mode os.FileMode, content string) {
	t.Helper()
	script := fmt.Sprintf("mkdir -p %[1]s && cat > %[2]s.new && chmod %[3]o %[2]s.new && mv %[2]s.new %[2]s", filepath.Dir(path), path, mode)
	if r := p.RunIn(t, content, "ssh", admin, asRoot(script)); r.Code != 0 {
		t.Fatal(r)
	}
}

// untar copies a directory onto the admin host.
func (p *puppetry) untar(t *testing.T, to, dir string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		t.Fatal(err)
	}
	if r := p.RunIn(t, b.String(), "ssh", admin, asRoot("mkdir -p "+to+" && tar --no-same-owner -xf - -C "+to)); r.Code != 0 {
		t.Fatal(r)
	}
}

// withDrover is the admin host's class, and withoutDrover a catalog that lacks nothing else.
func (p *puppetry) withDrover(more ...string) string {
	return fmt.Sprintf("class { 'drover': cluster => '%s', %s }", p.Name, strings.Join(more, ", "))
}

const withoutDrover = ""

// site has the server give the admin host a catalog, and hosts theirs with something more.
func (p *puppetry) site(t *testing.T, ofAdmin string, more ...string) {
	t.Helper()
	p.put(t, adminSite, 0o644, fmt.Sprintf("node %q { %s }\n%s\nnode default { include drover::host }\n", admin, ofAdmin, strings.Join(more, "\n")))
}

// agent runs a machine's Puppet agent, once; whatever comes of it. It has no locale, like
// one that is a service: to Puppet all that is not ASCII is an error then.
func (p *puppetry) agent(t testing.TB, machine string, flags ...string) labkit.Result {
	t.Helper()
	return p.Run(t, "ssh", machine, asRoot(strings.Join(append([]string{"puppet agent -t --color=false"}, flags...), " ")))
}

// What `puppet agent -t` ends with.
const (
	unchanged        = 0
	changed          = 2
	failed           = 4
	failedAndChanged = 6
)

// expect runs an agent, which has to end with one of these codes and say these words.
func (p *puppetry) expect(t *testing.T, machine string, codes []int, words ...string) labkit.Result {
	t.Helper()
	r := p.agent(t, machine)
	if !slices.Contains(codes, r.Code) {
		t.Fatalf("want exit %v: %s", codes, r)
	}
	for _, w := range words {
		if !strings.Contains(r.Stdout+r.Stderr, w) {
			t.Errorf("nothing says %q: %s", w, r)
		}
	}
	return r
}

// export has hosts tell Puppet of themselves.
func (p *puppetry) export(t *testing.T, hosts ...string) {
	t.Helper()
	for _, h := range hosts { // one after the other: it is one server
		p.expect(t, h, []int{unchanged, changed})
	}
}

// onAdmin runs a script on the admin host, whatever comes of it.
func (p *puppetry) onAdmin(t testing.TB, script string) labkit.Result {
	t.Helper()
	return p.Run(t, "ssh", admin, asRoot(script))
}

// droverThere runs drover on the admin host's own inventory.
func (p *puppetry) droverThere(t testing.TB, args string) labkit.Result {
	t.Helper()
	return p.onAdmin(t, "HOME=/root drover -i "+adminInventory+" "+args)
}

// applying is nil while a `drover apply` runs on the admin host.
func (p *puppetry) applying(t testing.TB) error {
	if r := p.onAdmin(t, "pgrep -f '^/usr/bin/drover apply'"); r.Code != 0 {
		return errors.New("no drover apply runs")
	}
	return nil
}

// quiet waits until no drover is at work there any more, and nobody holds the lock.
func (p *puppetry) quiet(t *testing.T, limit time.Duration) {
	t.Helper()
	labkit.Await(t, limit, "no drover at work", func() error {
		if p.applying(t) == nil {
			return errors.New("one is at work")
		}
		return nil
	})
	if r := p.droverThere(t, "lock show"); r.Code != 0 || !strings.Contains(r.Stdout, "free: last held by ") {
		t.Errorf("the lock was not given back: %s", r)
	}
}

// atWork waits until an apply has begun with a host: what it installs is there.
func (p *puppetry) atWork(t *testing.T, host string) {
	t.Helper()
	labkit.Await(t, 2*time.Minute, "an apply at work on "+host, func() error {
		_, err := p.try(t.Context(), host, "test -d /opt/drover")
		return cmp.Or(err, p.applying(t))
	})
}

// database changes what PuppetDB has written down: time goes by faster than a test can wait.
func (p *puppetry) database(t *testing.T, statement string) {
	t.Helper()
	if r := p.RunIn(t, statement, "ssh", admin, asRoot("setpriv --reuid=postgres --regid=postgres --init-groups psql -q -v ON_ERROR_STOP=1 -d puppetdb")); r.Code != 0 {
		t.Fatal(r)
	}
}
