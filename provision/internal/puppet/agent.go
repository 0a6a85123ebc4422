package puppet

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
)

var (
	//go:embed state.sh
	stateScript string
	//go:embed look.sh
	lookScript string
)

// programs are where Puppet is installed: by distributions, and by Puppet's own packages
// and those that follow them.
var programs = [...]string{"/usr/bin/puppet", "/opt/puppetlabs/bin/puppet"}

// Scope is what of Puppet the first look at a host brings along: whether it is there, and
// what a run of drover has noted.
func Scope() facts.Scope {
	return facts.Scope{Paths: append([]string{NotePath}, programs[:]...)}
}

// Program is the host's Puppet, "" where none is installed.
func Program(snap facts.Snapshot) string {
	for _, p := range programs {
		if _, there := snap.Files[p]; there {
			return p
		}
	}
	return ""
}

// Agent is a host's agent: its program, and its files as `puppet config print` names
// them. The zero value with a Program is one that has yet to be asked.
type Agent struct {
	Program  string
	Certname string
	RunLock  string // there while the agent runs
	Lock     string // there while it is disabled
}

// known reports whether Puppet was asked where its files are.
func (a Agent) known() bool { return a.RunLock != "" && a.Lock != "" }

// State is what an agent does at a moment.
type State struct {
	// PID is the process that runs, 0 when none does; Started is when it was, in ticks
	// since the boot named by Boot; Space is its namespace of process IDs.
	PID                  int
	Started, Boot, Space string
	// Disabled says that the agent is disabled, and Reason why.
	Disabled bool
	Reason   string
}

// Running reports whether the agent runs.
func (s State) Running() bool { return s.PID != 0 }

// Look is what was seen of an agent.
type Look struct {
	Agent
	State
	// Managed is what it manages on the host.
	Managed Managed
	// Untimed says that the host will not enable the agent by itself.
	Untimed bool
}

const (
	marker = "@@drover-puppet@@"
	// most is how many bytes of a catalog are read.
	most = 64 << 20
	// lookLimit is for a Ruby on a machine that is busy.
	lookLimit = 2 * time.Minute
)

// LookAt looks at an agent, and at what it manages if that is asked for.
func LookAt(ctx context.Context, h host.Reader, a Agent, managed bool) (Look, error) {
	want := ""
	if managed {
		want, a = "yes", Agent{Program: a.Program} // where its catalog is, Puppet has to say
	}
	script := header("# drover puppet look", [][2]string{
		{"marker", marker}, {"puppet", a.Program}, {"lock", a.RunLock}, {"disabled", a.Lock}, {"managed", want}, {"most", strconv.Itoa(most)},
	}) + stateScript + lookScript
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script), Limit: lookLimit})
	if err != nil {
		return Look{}, err
	}
	if res.Exit != 0 {
		return Look{}, fmt.Errorf("%s: looking at Puppet's agent: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	l, err := parse(string(res.Stdout), a)
	if err != nil {
		return l, fmt.Errorf("%s: looking at Puppet's agent: %w", h.Name(), err)
	}
	return l, nil
}

// header begins a script: with its name, by which it is told, and with its variables.
func header(name string, variables [][2]string) string {
	var b strings.Builder
	b.WriteString(name + "\nexport LC_ALL=C\nPATH=$PATH:/usr/sbin:/sbin\n")
	for _, v := range variables {
		fmt.Fprintf(&b, "%s=%s\n", v[0], host.Quote(v[1]))
	}
	return b.String()
}

// parse reads what the scripts print behind their marker, up to the end.
func parse(out string, a Agent) (Look, error) {
	l := Look{Agent: a}
	_, text, began := strings.Cut("\n"+out, "\n"+marker+"\n")
	if !began {
		return l, fmt.Errorf("its answer lacks its beginning")
	}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if word == "end" {
			if !l.known() {
				return l, fmt.Errorf("`puppet config print` does not name its files")
			}
			return l, nil
		}
		if err := l.line(word, rest); err != nil {
			return l, fmt.Errorf("%s: %w", word, err)
		}
	}
	return l, fmt.Errorf("its answer ended before its end")
}

func (l *Look) line(word, rest string) (err error) {
	switch word {
	case "setting":
		name, value, _ := strings.Cut(rest, " = ")
		switch name {
		case "certname":
			l.Certname = value
		case "agent_catalog_run_lockfile":
			l.RunLock = value
		case "agent_disabled_lockfile":
			l.Lock = value
		}
	case "boot":
		l.Boot = rest
	case "space":
		l.Space = rest
	case "running":
		pid, started, _ := strings.Cut(rest, " ")
		l.Started = started
		l.PID, err = strconv.Atoi(pid)
	case "disabled":
		l.Disabled, l.Reason = true, reason(rest)
	case "untimed":
		l.Untimed = true
	case "catalog", "resources", "large":
		return l.Managed.line(word, rest)
	default:
		return fmt.Errorf("no such word")
	}
	return err
}

// reason is what a lock file says of why an agent is disabled.
func reason(lock string) string {
	var content struct {
		Message string `json:"disabled_message"`
	}
	if err := json.Unmarshal([]byte(lock), &content); err != nil {
		return strings.TrimSpace(lock)
	}
	return content.Message
}
