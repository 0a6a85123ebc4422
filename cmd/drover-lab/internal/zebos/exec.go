package zebos

import (
	"bytes"
	"sync"
)

// Verb is a command of ZebOS's exec mode.
type Verb int

// The exec commands a lab router knows.
const (
	Enable Verb = iota
	Disable
	Configure
	Exit
	Write
	TerminalLength
	ShowRunning
	ShowRunningBGP
	ShowVersion
	ShowBGPSummary
	ShowBGPNeighbors
	ShowBGPNeighborRoutes
	ShowBGP
	ShowRoutes
	ShowRoute
	ShowInterfaces
)

// Command is an exec command that was understood.
type Command struct {
	Verb   Verb
	Target string // the address, prefix or protocol named
	Line   int
}

// privileged verbs need "enable" first.
func (v Verb) privileged() bool {
	return v == Configure || v == Write || v == ShowRunning || v == ShowRunningBGP
}

type execForm struct {
	verb Verb
	form string
}

var execForms = []execForm{
	{Enable, "enable"},
	{Disable, "disable"},
	{Configure, "configure terminal"},
	{Exit, "exit"},
	{Exit, "quit"},
	{Exit, "logout"},
	{Write, "write [ <to:=file|memory> ]"},
	{Write, "copy running-config startup-config"},
	{TerminalLength, "terminal length <n:0..512>"},
	{TerminalLength, "terminal no length"},
	{ShowRunning, "show running-config"},
	{ShowRunningBGP, "show running-config [ <what:=router> ] bgp"},
	{ShowVersion, "show version"},
	{ShowBGPSummary, "show ip bgp summary"},
	{ShowBGPSummary, "show bgp [ <what:=ipv4> ] summary"},
	{ShowBGPNeighbors, "show ip bgp neighbors [ <target:ip> ]"},
	{ShowBGPNeighbors, "show bgp [ <what:=ipv4> ] neighbors [ <target:ip> ]"},
	{ShowBGPNeighborRoutes, "show ip bgp neighbors <target:ip> routes"},
	{ShowBGP, "show ip bgp"},
	{ShowBGP, "show ip bgp <target:prefix>"},
	{ShowBGP, "show ip bgp <target:ip>"},
	{ShowRoutes, "show ip route [ <target:=bgp|connected|kernel|static> ]"},
	{ShowRoute, "show ip route <target:ip>"},
	{ShowRoute, "show ip route <target:prefix>"},
	{ShowInterfaces, "show ip interface brief"},
}

type execRule struct {
	verb Verb
	form pattern
}

var execRules = sync.OnceValue(func() []execRule {
	out := make([]execRule, len(execForms))
	for i, f := range execForms {
		out[i] = execRule{f.verb, parsePattern(f.form)}
	}
	return out
})

// ParseExec reads line n as an exec command; enabled says whether privileged
// ones may be given. The error, if any, is a *LineError.
func ParseExec(n int, line string, enabled bool) (Command, error) {
	words, cols := fields(line)
	var best []execRule
	var won match
	reached, incomplete := 0, false
	for _, r := range execRules() {
		if r.verb.privileged() && !enabled {
			continue
		}
		m := r.form.match(words, style{abbreviate: true})
		if !m.ok {
			if m.reached > reached || m.reached == reached && m.incomplete {
				reached, incomplete = m.reached, m.incomplete
			}
			continue
		}
		switch order := bytes.Compare(m.fit, won.fit); {
		case len(best) == 0 || order < 0:
			best, won = []execRule{r}, m
		case order == 0 && best[0].verb != r.verb:
			best = append(best, r)
		}
	}
	fail := &LineError{Line: n, Text: Redact(line), Column: len(line)}
	switch {
	case len(best) == 1:
		return Command{Verb: best[0].verb, Target: won.args["target"], Line: n}, nil
	case len(best) > 1:
		fail.Problem = Ambiguous
	case incomplete:
		fail.Problem = Incomplete
	case reached < len(cols):
		fail.Column = cols[reached]
	}
	return Command{}, fail
}
