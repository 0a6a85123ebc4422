package fleettest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// What is played of Puppet's agent: that it runs or not, that it is disabled or not, and
// the catalog that it keeps. A timer that would enable it is a unit.
const (
	puppetProgram = "/usr/bin/puppet"
	puppetDir     = "/var/cache/puppet"
	puppetRuns    = puppetDir + "/state/agent_catalog_run.lock"
	puppetLock    = puppetDir + "/state/agent_disabled.lock"
	puppetNote    = membership + "/puppet.drover"
	puppetTimer   = "drover-puppet-"
)

// InstallPuppet gives the host an agent, whose catalog has these resources, as JSON.
func (h *Host) InstallPuppet(resources ...string) {
	h.edit(func(s *hosttest.State) error {
		if err := s.Put(puppetProgram, "#!ruby", 0o755, "root:root"); err != nil {
			return err
		}
		return s.Put(h.puppetCatalog(), `{"resources":[`+strings.Join(resources, ",")+`]}`, 0o640, "root:root")
	})
}

func (h *Host) puppetCatalog() string {
	return puppetDir + "/client_data/catalog/" + h.Name + ".example.net.json"
}

func (h *Host) edit(change func(*hosttest.State) error) {
	h.fleet.tb.Helper()
	var err error
	h.Machine.Edit(func(s *hosttest.State) { err = change(s) })
	if err != nil {
		h.fleet.tb.Fatal(err)
	}
}

// DisableAgent disables it for a reason, and EnableAgent enables it, as an operator does:
// the reason that is there is kept.
func (h *Host) DisableAgent(reason string) {
	h.edit(func(s *hosttest.State) error { return disableAgent(s, reason) })
}

// EnableAgent is described with DisableAgent.
func (h *Host) EnableAgent() {
	h.edit(func(s *hosttest.State) error { delete(s.Files, puppetLock); return nil })
}

func disableAgent(s *hosttest.State, reason string) error {
	if _, there := s.Files[puppetLock]; there {
		return nil
	}
	text, err := json.Marshal(map[string]string{"disabled_message": reason})
	if err != nil {
		return err
	}
	return s.Put(puppetLock, string(text), 0o644, "root:root")
}

// AgentDisabled is why the agent is disabled, "" when it is not.
func (h *Host) AgentDisabled() string { return agentDisabled(h.Machine.State()) }

func agentDisabled(s hosttest.State) string {
	var content struct {
		Message string `json:"disabled_message"`
	}
	_ = json.Unmarshal([]byte(s.Files[puppetLock].Content), &content) // "" is no JSON
	return content.Message
}

// BeginAgent has a run of the agent begin, if it may; EndAgent has it end.
func (h *Host) BeginAgent() (begun bool) {
	h.edit(func(s *hosttest.State) error {
		if _, disabled := s.Files[puppetLock]; disabled {
			return nil
		}
		begun = true
		return s.Put(puppetRuns, "4711", 0o644, "root:root")
	})
	return begun
}

// EndAgent is described with BeginAgent.
func (h *Host) EndAgent() {
	h.edit(func(s *hosttest.State) error { delete(s.Files, puppetRuns); return nil })
}

// PuppetTimers are the timers that would enable the agent.
func (h *Host) PuppetTimers() (names []string) {
	for name := range h.Machine.State().Units {
		if strings.HasPrefix(name, puppetTimer) {
			names = append(names, name)
		}
	}
	return names
}

// ofPuppet tells what is Puppet's, or drover's for its sake.
func ofPuppet(name string) bool {
	return name == puppetProgram || name == puppetNote || strings.HasPrefix(name, puppetDir+"/") || strings.HasPrefix(name, puppetTimer)
}

// variable is one of those that a script begins with.
func variable(script, name string) string {
	return strings.Trim(between(script, "\n"+name+"=", "\n"), "'")
}

func agentState(s *hosttest.State, out *strings.Builder) {
	out.WriteString("boot b\nspace pid:[1]\n")
	if f, runs := s.Files[puppetRuns]; runs {
		fmt.Fprintf(out, "running %s 99\n", f.Content)
	}
	if f, disabled := s.Files[puppetLock]; disabled {
		fmt.Fprintf(out, "disabled %s\n", f.Content)
	}
}

// puppetLooked plays a look at the agent.
func (h *Host) puppetLooked(s *hosttest.State, c hosttest.Call) host.Result {
	script := string(c.Stdin)
	if variable(script, "puppet") != puppetProgram {
		return notPlayed(c)
	}
	var out strings.Builder
	out.WriteString("\n@@drover-puppet@@\n")
	if variable(script, "lock") == "" {
		fmt.Fprintf(&out, "setting agent_catalog_run_lockfile = %s\nsetting agent_disabled_lockfile = %s\nsetting certname = %s.example.net\n", puppetRuns, puppetLock, h.Name)
	}
	agentState(s, &out)
	if f, there := s.Files[h.puppetCatalog()]; there && variable(script, "managed") != "" {
		fmt.Fprintf(&out, "catalog plain 0 %s\n", base64.StdEncoding.EncodeToString([]byte(f.Content)))
	}
	out.WriteString("end\n")
	return host.Result{Stdout: []byte(out.String())}
}

// puppetHeld plays the script that disables the agent.
func (h *Host) puppetHeld(s *hosttest.State, c hosttest.Call) host.Result {
	script := string(c.Stdin)
	run, message := variable(script, "run"), variable(script, "message")
	if !strings.HasSuffix(script, "}\ndrover\n") || run == "" || variable(script, "disabled") != puppetLock || variable(script, "note") != puppetNote {
		return notPlayed(c)
	}
	var out strings.Builder
	out.WriteString("\n@@drover-puppet@@\n")
	reason := agentDisabled(*s)
	old, ours := strings.CutPrefix(reason, "drover run ")
	if ours {
		old, _, _ = strings.Cut(old, ":")
		delete(s.Units, puppetTimer+old+".timer")
		delete(s.Files, puppetLock)
	}
	if reason == "" || ours {
		s.Units[puppetTimer+run+".timer"] = hosttest.Unit{Active: true}
		err := s.Put(puppetNote, fmt.Sprintf("run=%s\nsince=%s\nlock=%s\n", run, variable(script, "since"), puppetLock), 0o644, "root:root")
		if err == nil {
			err = disableAgent(s, message)
		}
		if err != nil {
			return host.Result{Exit: 1, Stderr: []byte(err.Error())}
		}
	}
	agentState(s, &out)
	out.WriteString("end\n")
	return host.Result{Stdout: []byte(out.String())}
}

// puppetReleased plays the end of that.
func puppetReleased(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 4 || c.Argv[1] != puppetLock || c.Argv[3] != puppetNote {
		return notPlayed(c)
	}
	run := c.Argv[2]
	if strings.HasPrefix(agentDisabled(*s), "drover run "+run+":") {
		delete(s.Files, puppetLock)
	}
	if strings.HasPrefix(s.Files[puppetNote].Content, "run="+run+"\n") {
		delete(s.Files, puppetNote)
	}
	delete(s.Units, puppetTimer+run+".timer")
	if len(s.Below(membership)) == 1 { // the directory itself
		delete(s.Files, membership)
	}
	return host.Result{}
}

// factChanging plays the mark on a host's fact: a mode.
func factChanging(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 3 {
		return notPlayed(c)
	}
	mode, err := strconv.ParseUint(c.Argv[2], 8, 32)
	if err != nil {
		return notPlayed(c)
	}
	if f, there := s.Files[c.Argv[1]]; there {
		f.Mode = fileMode(mode)
		s.Files[c.Argv[1]] = f
	}
	return host.Result{}
}
