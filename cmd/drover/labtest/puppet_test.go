package labtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// last is the node that comes later, and again and again.
const last = "kube-node-3"

// A real puppetserver with a PuppetDB, agents on all hosts, and the module of examples:
// drover is run by Puppet alone, on hosts that Puppet tells it of. The steps go on from
// each other.
func TestPuppet(t *testing.T) {
	p := beginPuppet(t, shape{Masters: 1, Nodes: 3, Routers: 1})
	full := p.shape
	without := full
	without.Missing = []string{last}
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 8))
	p.set(t, without)
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"a fragment is late", p.fragmentLate},
		{"noop reports", p.noopBefore},
		{"bootstrap", p.bootstrapped},
		{"again, and how long it takes", p.againInTime},
		{"drift under noop, and then repaired", p.driftUnderNoop},
		{"what Puppet manages", p.managed},
		{"a third node", func(t *testing.T) { p.third(t, full) }},
		{"fragments that are gone", p.fragmentsGone},
		{"timeouts", func(t *testing.T) { p.timeouts(t, r) }},
		{"the agent is terminated", p.agentTerminated},
		{"nobody reads", p.nobodyReads},
		{"ten at once", p.tenAtOnce},
		{"five hundred nodes", p.fiveHundred},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// fragmentLate: while the master has not told of itself, the nodes alone are no cluster.
func (p *puppetry) fragmentLate(t *testing.T) {
	p.site(t, p.withDrover())
	for _, h := range p.hosts() {
		p.expect(t, h, []int{unchanged}) // and its certificate is made
		p.bare[h] = p.disk(t, h)
	}
	p.database(t, "update certnames set expired = now() where certname = 'kube-master-1'")
	p.expect(t, admin, []int{failedAndChanged}, `masters names "kube-master-1", but there is no such kube_master`, "Exec[drover apply]")
	p.untouched(t)
	p.export(t, "kube-master-1") // which ends its expiry
}

// untouched: nothing was done on any host.
func (p *puppetry) untouched(t *testing.T) {
	t.Helper()
	for _, h := range p.hosts() {
		p.isBare(t, h, p.bare[h])
	}
}

// noopBefore: the checks of an exec are run under noop as well, so they must write nothing.
func (p *puppetry) noopBefore(t *testing.T) {
	before := p.adminFiles(t)
	r := p.agent(t, admin, "--noop")
	for _, want := range []string{"File[" + adminInventory + "/host-kube-master-1.hcl]/ensure: current_value 'absent', should be 'file' (noop)", "Exec[drover apply]/returns: current_value 'notrun', should be ['0'] (noop)"} {
		if r.Code != unchanged || !strings.Contains(r.Stdout, want) {
			t.Errorf("want exit 0 and %q: %s", want, r)
		}
	}
	if diff := cmp.Diff(before, p.adminFiles(t)); diff != "" {
		t.Errorf("on the admin host (-before +now):\n%s", diff)
	}
	p.untouched(t)
}

// adminFiles are what drover could write on the admin host, with times.
func (p *puppetry) adminFiles(t *testing.T) string {
	t.Helper()
	return p.ssh(t, admin, `find /etc/drover /root /var/lib/drover /tmp /var/tmp /etc/facter -xdev ! -path '*/.puppet*' -printf '%y %p %T@ %s\n' 2>/dev/null | sort; true`)
}

func (p *puppetry) bootstrapped(t *testing.T) {
	r := p.expect(t, admin, []int{changed}, "Exec[drover apply]/returns: executed successfully")
	t.Logf("a cluster of 1+2 by `puppet agent -t` in %s", r.Took.Round(time.Second))
	p.login(t)
	now(p.nodesReady)(t)
	p.serve(t)
	soon(p.routesHeld)(t)
	soon(p.clientsReachPods)(t)
	p.inSync(t)
}

// againInTime: with nothing to do, the module costs little more than a catalog without it.
func (p *puppetry) againInTime(t *testing.T) {
	const most = 5 * time.Second
	before := p.allTraces(t)
	fastest := func(site string) time.Duration {
		p.site(t, site)
		best := time.Hour
		for range 3 {
			best = min(best, p.expect(t, admin, []int{unchanged}).Took)
		}
		return best
	}
	bare, with := fastest(withoutDrover), fastest(p.withDrover())
	t.Logf("puppet agent -t: %s with the module, %s without", with.Round(10*time.Millisecond), bare.Round(10*time.Millisecond))
	if with-bare > most {
		t.Errorf("the module costs %s, more than %s", with-bare, most)
	}
	expectMoved(t, before, p.allTraces(t), touched{})
}

// driftUnderNoop: what is not as it should be is reported under noop, and left; and
// repaired by the next run.
func (p *puppetry) driftUnderNoop(t *testing.T) {
	p.ssh(t, "kube-node-1", "systemctl stop kube-proxy")
	before, files := p.allTraces(t), p.adminFiles(t)
	if r := p.agent(t, admin, "--noop"); r.Code != unchanged || !strings.Contains(r.Stdout, "Exec[drover apply]/returns: current_value 'notrun', should be ['0'] (noop)") {
		t.Errorf("under noop: %s", r)
	}
	expectMoved(t, before, p.allTraces(t), touched{})
	if diff := cmp.Diff(files, p.adminFiles(t)); diff != "" {
		t.Errorf("on the admin host (-before +now):\n%s", diff)
	}
	p.expect(t, admin, []int{changed})
	p.inSync(t)
	p.expect(t, admin, []int{unchanged})
}

// managed: a file that Puppet manages and drover would write, and a setting that the two
// want to be different, are told of with the line of the manifest, before anything is
// touched; and so they are as often as both run.
func (p *puppetry) managed(t *testing.T) {
	const file, setting = "/etc/containerd/config.toml", "/etc/sysctl.d/99-zzz-hardening.conf"
	p.site(t, p.withDrover(),
		fmt.Sprintf("node '%s' {", last),
		"  include drover::host",
		"  file { '/etc/containerd': ensure => directory }",
		fmt.Sprintf("  file { '%s': content => \"# Puppet's\\n\" }", file),
		fmt.Sprintf("  file { '%s': content => \"net.ipv4.ip_forward = 0\\n\" }", setting),
		"}")
	lines := strings.Split(p.ssh(t, admin, "cat "+adminSite), "\n")
	at := func(path string) string {
		for i, l := range lines {
			if strings.Contains(l, "'"+path+"'") {
				return fmt.Sprintf("%s:%d", adminSite, i+1)
			}
		}
		t.Fatalf("the site's manifest has no %s", path)
		return ""
	}
	p.expect(t, last, []int{changed})
	written := func() string {
		return p.ssh(t, last, fmt.Sprintf("stat -c '%%n %%Y %%i' %s %s; sysctl net.ipv4.ip_forward; ls -d /opt/drover 2>/dev/null; true", file, setting))
	}
	before, others := written(), p.allTraces(t)
	for range 3 {
		p.expect(t, last, []int{unchanged})
		p.expect(t, admin, []int{failed, failedAndChanged}, "puppet-managed", file, at(file), "net.ipv4.ip_forward", at(setting))
	}
	if diff := cmp.Diff(before, written()); diff != "" {
		t.Errorf("they write in turns (-before +after):\n%s", diff)
	}
	expectMoved(t, others, p.allTraces(t), touched{})
	p.site(t, p.withDrover())
	p.ssh(t, last, "rm -r /etc/containerd "+setting)
}

// third: a host that tells of itself is added by the next run on the admin host.
func (p *puppetry) third(t *testing.T, full shape) {
	p.export(t, last)
	p.expect(t, admin, []int{changed}, "Exec[drover apply]/returns: executed successfully")
	p.set(t, full)
	now(p.nodesReady)(t)
	p.inSync(t)
	p.expect(t, admin, []int{unchanged})
}

// fragmentsGone: a host that PuppetDB knows no more stays in the inventory and in the
// cluster, and so does one whose fragment somebody takes away; one that is to be a master
// and is not listed bootstraps nothing.
func (p *puppetry) fragmentsGone(t *testing.T) {
	fragment := adminInventory + "/host-" + last + ".hcl"
	before := p.allTraces(t)
	for _, gone := range []string{"deactivated", "expired"} {
		p.database(t, fmt.Sprintf("update certnames set %s = now() where certname = '%s'", gone, last))
		p.expect(t, admin, []int{unchanged})
		p.ssh(t, admin, "test -s "+fragment)
	}
	p.ssh(t, admin, "rm "+fragment)
	p.expect(t, admin, []int{unchanged, changed})
	now(p.nodesReady)(t)
	p.put(t, adminInventory+"/99-odd.hcl", 0o644, fmt.Sprintf("kube_master \"kube-master-2\" {\n  address = \"%s.77\"\n}\n", p.Net))
	p.expect(t, admin, []int{failed}, `kube_master "kube-master-2" is not in cluster.masters`)
	p.ssh(t, admin, "rm "+adminInventory+"/99-odd.hcl "+adminInventory+"/host-kube-master-1.hcl")
	p.database(t, "update certnames set expired = now() where certname = 'kube-master-1'")
	p.expect(t, admin, []int{failed}, `masters names "kube-master-1", but there is no such kube_master`)
	expectMoved(t, before, p.allTraces(t), touched{})
	p.export(t, "kube-master-1", last)
	p.expect(t, admin, []int{changed})
	p.inSync(t)
}

// toDo takes the last node out of the cluster, so that there is something to do.
func (p *puppetry) toDo(t *testing.T) {
	t.Helper()
	if r := p.cluster.drover(t, "node", "remove", last, "--auto-approve", "--force", "--disable-eviction"); r.Code != 0 {
		t.Fatal(r)
	}
}

// finished: the next run does what was left, and all is well.
func (p *puppetry) finished(t *testing.T) {
	t.Helper()
	p.quiet(t, time.Minute)
	start := time.Now()
	p.expect(t, admin, []int{unchanged, changed})
	t.Logf("the run after it took %s", time.Since(start).Round(time.Second))
	now(p.nodesReady)(t)
	p.inSync(t)
}

// timeouts: Puppet's own timeout hits drover at any moment, and Puppet tells drover alone.
func (p *puppetry) timeouts(t *testing.T, r *rand.Rand) {
	count := 1
	if labkit.Soak() {
		count = 20
	}
	for range count {
		p.toDo(t)
		seconds := 3 + r.IntN(15)
		p.put(t, "/root/timeout.pp", 0o644, fmt.Sprintf(`exec { 'drover apply':
  command     => ['/usr/bin/drover', 'apply', '--non-interactive', '--deadline', '40m', '--lock-wait', '60s', '-i', '%[1]s'],
  unless      => [['/usr/bin/drover', 'check', '--deadline', '60s', '-i', '%[1]s']],
  environment => ['HOME=/root', 'LC_ALL=C.UTF-8'],
  timeout     => %[2]d,
  logoutput   => on_failure,
}
`, adminInventory, seconds))
		res := p.onAdmin(t, "puppet apply --color=false --detailed-exitcodes /root/timeout.pp")
		t.Logf("a timeout of %d s: %s", seconds, lastLine(res.Stdout+res.Stderr))
		if hit := strings.Contains(res.Stdout+res.Stderr, "Command exceeded timeout"); hit != (res.Code == failed) || !hit && res.Code != changed {
			t.Errorf("neither done nor timed out: %s", res)
		}
		p.finished(t)
	}
}

// agentTerminated: the agent is told to end while drover works. It tells drover nothing,
// and nobody reads what that says from then on.
func (p *puppetry) agentTerminated(t *testing.T) {
	p.toDo(t)
	b := p.Start(t, "ssh", admin, asRoot("puppet agent -t --color=false"))
	p.atWork(t, last)
	p.ssh(t, admin, "kill -TERM $(cat /var/cache/puppet/state/agent_catalog_run.lock)")
	t.Logf("the agent: %s", lastLine(b.Result().String()))
	p.quiet(t, 5*time.Minute)
	p.finished(t)
}

// nobodyReads: what drover writes to is closed before it is done, and it goes on.
func (p *puppetry) nobodyReads(t *testing.T) {
	p.toDo(t)
	r := p.onAdmin(t, fmt.Sprintf(`bash -c '/usr/bin/drover apply --non-interactive --deadline 40m --lock-wait 60s -i %s 2>&1 < /dev/null | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}'`, adminInventory))
	if r.Code != 0 {
		t.Errorf("want it to go on to its end: %s", r)
	}
	p.quiet(t, time.Minute)
	p.inSync(t)
}

// tenAtOnce: ten agents have something to do for drover at one time. One run does it;
// the others find it at work, or done, or the lock taken.
func (p *puppetry) tenAtOnce(t *testing.T) {
	var names []string
	for n := range 10 {
		names = append(names, fmt.Sprintf("admin-%d", n))
	}
	own := func(name string) string {
		dir := "/var/tmp/" + name
		return fmt.Sprintf("--certname %s --confdir %s/conf --vardir %s/var --rundir %s/run --publicdir %s/public --http_keepalive_timeout 0 --server %s", name, dir, dir, dir, dir, admin)
	}
	// Their certificates first, which take their time.
	p.site(t, p.withDrover())
	for _, n := range names {
		if r := p.onAdmin(t, "puppet ssl bootstrap --color=false "+own(n)); r.Code != 0 {
			t.Fatal(r)
		}
	}
	p.site(t, p.withDrover(), fmt.Sprintf("node /^admin-\\d+$/ { %s }", p.withDrover()))
	p.toDo(t)
	before := p.runs(t)
	results := map[string]*labkit.Background{}
	for _, n := range names {
		results[n] = p.Start(t, "ssh", admin, asRoot("puppet agent -t --color=false "+own(n)))
	}
	count := map[string]int{}
	for _, n := range names {
		r := results[n].Result()
		said := r.Stdout + r.Stderr
		switch {
		case r.Code == unchanged:
			count["found nothing to do, or one at work"]++
		case r.Code == changed && strings.Contains(said, "Exec[drover apply]/returns: executed successfully"):
			count["applied"]++
		case r.Code == failed && strings.Contains(said, "returned 75 instead of one of [0]"):
			count["found the lock taken"]++
		default:
			t.Errorf("%s ended otherwise: %s", n, r)
		}
	}
	t.Logf("ten agents: %v", count)
	if count["applied"] == 0 {
		t.Error("none applied")
	}
	if got := p.runs(t) - before; got != 1 {
		t.Errorf("%d runs changed something, want one", got)
	}
	p.finished(t)
}

// runs are how many changed something, of those that the masters remember.
func (p *puppetry) runs(t *testing.T) int {
	t.Helper()
	var history struct {
		Runs []struct{ Changes map[string]int }
	}
	r := p.droverThere(t, "history -o json")
	if err := json.Unmarshal([]byte(r.Stdout), &history); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	n := 0
	for _, run := range history.Runs {
		if run.Changes["done"] > 0 {
			n++
		}
	}
	return n
}
