package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/plan"
)

// byHand tells, below a plan, what somebody has to enter on each BIG-IP that is
// managed by hand: flush left, so that it can be copied as it stands.
func byHand(all []plan.ByHand) string {
	var blocks, lines string
	for _, one := range all {
		if len(one.Enter) == 0 {
			lines += "\n" + unverified(one)
			continue
		}
		blocks += fmt.Sprintf("\n\nby hand on %s: %s.\n%s\nOnce the hosts are ready, apply waits up to %s for that.\n\n%s",
			one.BigIP, lacking(one), enter(one), duration(inventory.Seconds(one.WaitSeconds)), strings.Join(one.Enter, "\n"))
	}
	if blocks != "" && lines != "" {
		blocks += "\n"
	}
	return blocks + lines
}

// lacking says whose sessions are missing.
func lacking(one plan.ByHand) string {
	hosts := len(one.Up) + len(one.Missing)
	if len(one.Up) == 0 {
		return fmt.Sprintf("none of %s has a session with it", count(hosts, "host"))
	}
	verb := "have"
	if len(one.Missing) == 1 {
		verb = "has"
	}
	return fmt.Sprintf("%d of %s %s no session with it: %s", len(one.Missing), count(hosts, "host"), verb, listed(one.Missing))
}

// enter says what the lines are.
func enter(one plan.ByHand) string {
	if len(one.Up) == 0 {
		return "This is all of its side. If BGP runs there already, leave out the router-id: a new one ends all sessions."
	}
	return "Enter there what follows; what it has already stays as it is."
}

// byHandAtTheEnd tells, below how a run ended, that these were not looked at.
func byHandAtTheEnd(all []plan.ByHand) string {
	var b strings.Builder
	for _, one := range all {
		if len(one.Missing) == 0 {
			fmt.Fprintf(&b, "\n%s", unverified(one))
			continue
		}
		fmt.Fprintf(&b, "\n%s is managed by hand: %s; its own side is unverified.\n`drover bgp render %s` prints what to enter there.",
			one.BigIP, lacking(one), one.BigIP)
	}
	return b.String()
}

// unverified is one of which no session is missing.
func unverified(one plan.ByHand) string {
	return fmt.Sprintf("%s is managed by hand: its sessions with %s are up as those see them; its own side is unverified.", one.BigIP, count(len(one.Up), "host"))
}
