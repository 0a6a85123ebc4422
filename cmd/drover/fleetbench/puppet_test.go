package fleetbench

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

const factPath = "/etc/facter/facts.d/drover.json"

// withPuppet gives every host of a fleet an agent.
func withPuppet(f *fleettest.Fleet, resources ...string) {
	for _, h := range f.Hosts {
		h.InstallPuppet(resources...)
	}
}

// free reports that no agent is disabled, nor will be enabled by a timer.
func free(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	for _, h := range f.Hosts {
		_, noted := h.Machine.State().Files["/var/lib/drover/puppet.drover"]
		if why, timers := h.AgentDisabled(), h.PuppetTimers(); why != "" || len(timers) > 0 || noted {
			t.Errorf("%s: its agent is disabled for %q, timers %v, noted: %v", h.Name, why, timers, noted)
		}
	}
}

// Agents do not run while their hosts are changed, and are as before then; a host on which
// nothing is changed is asked nothing of its agent.
func TestAgentsAreDisabledForTheTimeOfAChange(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 2})
	withPuppet(f)
	f.Host("kube-node-2").DisableAgent("the disk is being replaced")
	var meanwhile sync.Map // names of hosts that were changed while their agent might run
	for _, h := range f.Hosts {
		h.Machine.Precede("drover-write-files", func(s *hosttest.State, c hosttest.Call) {
			_, disabled := s.Files["/var/cache/puppet/state/agent_disabled.lock"]
			if !disabled && strings.Contains(strings.Join(c.Argv, " "), "/etc/kubernetes/") {
				meanwhile.Store(h.Name, true)
			}
		})
	}
	out := said(t, f, 0, "apply", "--auto-approve")
	says(t, out, `Puppet's agent on kube-node-2 is disabled by somebody else, and stays so: "the disk is being replaced"`)
	for name := range meanwhile.Range {
		t.Errorf("%s was changed while its agent might run", name)
	}
	if why := f.Host("kube-node-2").AgentDisabled(); why != "the disk is being replaced" {
		t.Errorf("somebody else's reason is %q", why)
	}
	f.Host("kube-node-2").EnableAgent()
	free(t, f)

	f.Forget()
	says(t, said(t, f, 0, "plan"), "nothing to do")
	for _, h := range f.Hosts {
		if ops := h.Machine.Ops(); len(ops) != 1 {
			t.Errorf("%s was asked to run %d commands: %v", h.Name, len(ops), ops)
		}
	}
	says(t, said(t, f, 0, "reset", "--confirm=fleet"), "reset")
	free(t, f)
}

// An agent that does not come to an end keeps its host from being changed, no other, and
// is left as it was.
func TestAnAgentThatRunsOnIsNotDisturbed(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	withPuppet(f)
	f.Settings = "puppet { wait = \"10s\" }\nkubelet { max_pods = 50 }\n"
	f.Add(0)
	busy := f.Host("kube-node-1")
	if !busy.BeginAgent() {
		t.Fatal("its agent does not run")
	}
	before := busy.Machine.State().Files["/var/lib/kubelet/config.yaml"].Content
	out := said(t, f, 1, "apply", "--auto-approve")
	says(t, out, "Puppet's agent is at work there, and nothing was changed", "puppet { wait = ")
	if now := busy.Machine.State().Files["/var/lib/kubelet/config.yaml"].Content; now != before || now == "" {
		t.Error("it was changed")
	}
	free(t, f)
	busy.EndAgent()
	said(t, f, 0, "apply", "--auto-approve")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	free(t, f)
}

// What a killed run leaves disabled, the next one's plan shows and its apply enables, also
// when that is all there is to do.
func TestWhatAKilledRunDisabledIsEnabled(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	withPuppet(f)
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	h := f.Host("kube-node-1")
	c := f.Command(drover, "apply", "--auto-approve")
	running := make(chan *os.Process, 1)
	h.Machine.Inject(hosttest.Fault{Match: "drover-puppet-release", Do: hosttest.Hang, Struck: func() { _ = (<-running).Kill() }})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	_ = c.Wait() // it was killed
	if why := h.AgentDisabled(); !strings.HasPrefix(why, "drover run ") || len(h.PuppetTimers()) != 1 {
		t.Fatalf("it is disabled for %q, with the timers %v", why, h.PuppetTimers())
	}
	says(t, said(t, f, 2, "plan"), "~ puppet:agent: agent is disabled by drover's run ", "not left to Puppet")
	said(t, f, 0, "apply", "--auto-approve")
	free(t, f)
	says(t, said(t, f, 0, "plan"), "nothing to do")
}

// A run that is told to stop leaves no agent disabled.
func TestAStoppedRunEnablesAgents(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	withPuppet(f)
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	c := f.Command(drover, "apply", "--auto-approve")
	running := make(chan *os.Process, 1)
	h := f.Host("kube-node-1")
	h.Machine.Precede("drover-write-files", func(*hosttest.State, hosttest.Call) {
		select {
		case p := <-running:
			_ = p.Signal(os.Interrupt)
			time.Sleep(100 * time.Millisecond) // it has its signal before its answer
		default:
		}
	})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	if err := c.Wait(); err == nil {
		t.Error("it was not stopped")
	}
	free(t, f)
	said(t, f, 0, "apply", "--auto-approve")
	free(t, f)
}

// What Puppet manages is named with its manifest's line before anything is touched, by
// plan, preflight and apply, three times alike; when that is waived, it is written.
func TestWhatPuppetManagesIsNotWritten(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	f.Host("kube-node-1").InstallPuppet(
		`{"type":"File","title":"/var/lib/kubelet/config.yaml","file":"/etc/puppet/code/k8s.pp","line":12,"parameters":{"ensure":"file"}}`,
		`{"type":"Sysctl","title":"net.ipv4.ip_forward","file":"/etc/puppet/code/hard.pp","line":3,"parameters":{"value":"0"}}`)
	const file = "/var/lib/kubelet/config.yaml: Puppet's File[/var/lib/kubelet/config.yaml] writes it (/etc/puppet/code/k8s.pp:12)"
	const setting = `sysctl net.ipv4.ip_forward: Puppet's Sysctl[net.ipv4.ip_forward] sets it to "0", and drover to "1" (/etc/puppet/code/hard.pp:3)`
	for range 3 {
		before, writes := dumps(f), f.Writes()
		says(t, said(t, f, 2, "plan"), "apply would refuse this: kube-node-1: "+file, setting)
		says(t, said(t, f, 1, "preflight"), "puppet-managed", file, setting)
		says(t, said(t, f, 1, "apply", "--auto-approve"), "puppet-managed", file, setting, "nothing was touched")
		if dumps(f) != before || f.Writes() != writes {
			t.Error("something was touched")
		}
	}
	f.Settings = "preflight {\n  waive \"puppet-managed\" {\n    reason = \"it goes on Monday\"\n  }\n}\n"
	f.Add(0)
	says(t, said(t, f, 0, "preflight"), "it goes on Monday", "2 waived")
	said(t, f, 0, "apply", "--auto-approve")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	free(t, f)
}

// A host's fact tells what it is, and moves when that host does and no other.
func TestTheFactMovesWithItsHost(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	facts := func() map[string]string {
		all := map[string]string{}
		for _, h := range f.Hosts {
			all[h.Name] = h.Machine.State().Files[factPath].Content
		}
		return all
	}
	was := facts()
	var told struct {
		Drover struct {
			Cluster, Role, State, Changed string
			Versions                      map[string]string
		}
	}
	if err := json.Unmarshal([]byte(was["kube-node-1"]), &told); err != nil {
		t.Fatal(err)
	}
	d := told.Drover
	if d.Cluster != "fleet" || d.Role != "kube_node" || d.Versions["kubelet"] == "" || d.Versions["etcd"] != "" || !strings.HasPrefix(d.State, "sha256:") || d.Changed == "" {
		t.Errorf("%+v", d)
	}
	f.Add(1)
	said(t, f, 0, "apply", "--auto-approve")
	for name, text := range facts() {
		if name != "kube-node-3" && text != was[name] {
			t.Errorf("a node that came moved the fact of %s:\n%s", name, text)
		}
	}

	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the fact tells seconds
	was = facts()
	h := f.Host("kube-node-2")
	h.Machine.Edit(func(s *hosttest.State) {
		delete(s.Files, "/var/lib/kubelet/config.yaml")
	})
	says(t, said(t, f, 2, "plan"), "~ fact:drover: tells of ")
	said(t, f, 0, "apply", "--auto-approve")
	for name, text := range facts() {
		if (text != was[name]) != (name == "kube-node-2") {
			t.Errorf("the repair of kube-node-2 is told by %s: %s", name, text)
		}
	}
	state := func(text string) string { return between(text, `"state": "`, `"`) }
	if now := facts()["kube-node-2"]; state(now) != state(was["kube-node-2"]) {
		t.Errorf("a repair is another state: %s", now)
	}
	says(t, said(t, f, 0, "plan"), "nothing to do")
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	word, _, _ := strings.Cut(rest, after)
	return word
}

// A machine that the inventory does not name any more is reset while its agent does not
// run, and so is one whose name another has.
func TestAgentsOfMachinesThatGoAreDisabled(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(f *fleettest.Fleet) (*fleettest.Host, []string){
		"unnamed": func(f *fleettest.Fleet) (*fleettest.Host, []string) {
			f.DropKnown("kube-node-2")
			return f.Host("kube-node-2"), []string{"node", "remove", "kube-node-2", "--auto-approve"}
		},
		"supplanted": func(f *fleettest.Fleet) (*fleettest.Host, []string) {
			return f.Supplant("kube-node-2", "10.64.9.2"), []string{"node", "replace", "kube-node-2", "--auto-approve"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
			withPuppet(f)
			h, command := begin(f)
			held := ""
			h.Machine.Precede("# drover reset", func(s *hosttest.State, _ hosttest.Call) {
				held = s.Files["/var/cache/puppet/state/agent_disabled.lock"].Content
			})
			said(t, f, 0, command...)
			if !strings.Contains(held, `"drover run `) {
				t.Errorf("it was reset while its agent might run: %q", held)
			}
			if why, timers := h.AgentDisabled(), h.PuppetTimers(); why != "" || len(timers) > 0 {
				t.Errorf("its agent is disabled for %q, timers %v", why, timers)
			}
		})
	}
}

// A run that is killed after it has changed a host and before that can tell of it leaves
// the telling to the next one.
func TestTheFactTellsOfAKilledRun(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	h := f.Host("kube-node-1")
	was := h.Machine.State().Files[factPath]
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the fact tells seconds
	h.Machine.Edit(func(s *hosttest.State) { s.Sysctls["net.ipv4.ip_forward"] = "0" })
	c := f.Command(drover, "apply", "--auto-approve")
	running := make(chan *os.Process, 1)
	h.Machine.Inject(hosttest.Fault{Match: factPath + " 0644", Do: hosttest.Hang, Struck: func() { _ = (<-running).Kill() }})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	running <- c.Process
	_ = c.Wait() // it was killed
	if s := h.Machine.State(); s.Sysctls["net.ipv4.ip_forward"] != "1" || s.Files[factPath].Content != was.Content {
		t.Fatalf("the setting is %s, the fact\n%s", s.Sysctls["net.ipv4.ip_forward"], s.Files[factPath].Content)
	}
	says(t, said(t, f, 2, "plan"), "~ fact:drover: mode is 0444, as of a host whose change was cut off, not 0644\n", "1 to update")
	said(t, f, 0, "apply", "--auto-approve")
	if now := h.Machine.State().Files[factPath]; now.Content == was.Content || now.Mode != was.Mode {
		t.Errorf("the fact does not tell of the change: %s\n%s", now.Mode, now.Content)
	}
	says(t, said(t, f, 0, "plan"), "nothing to do")
}
