package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/plan"
)

// marks are how a plan shows an action, one column wide.
var marks = map[plan.Action]string{
	plan.Create: "+", plan.Update: "~", plan.Restart: "!", plan.Delete: "-",
}

// Plan shows what is to be done, host by host.
func (v View) Plan(p plan.Plan, format Format) error {
	if format == JSON {
		text, err := p.Encode()
		if err == nil {
			_, err = v.Out.Write(text)
		}
		return err
	}
	pending := p.Pending()
	if len(pending) == 0 {
		return v.Line(fmt.Sprintf("%s: %d things are as the inventory says; nothing to do.", p.Cluster, len(p.Changes)) + byHand(p.ByHand))
	}
	for _, group := range alike(byHost(pending), hostsOf(p.Changes)) {
		if err := v.Line(names(group.hosts) + "\n" + group.text); err != nil {
			return err
		}
	}
	return v.Line("\n" + summary(pending, len(p.Changes)) + byHand(p.ByHand))
}

// mostHosts is how many hosts a plan shows one by one, whatever they have in common.
const mostHosts = 20

// sameOn is a part of a plan that reads the same on all of its hosts.
type sameOn struct {
	hosts []string
	text  string
}

// alike shows what is to be done on each host, and where those are many, on those
// together where it is the same: nobody reads a thousand times that one setting
// differs. That each has a digest of its own makes no difference then.
func alike(groups [][]plan.Change, hosts map[string]bool) []sameOn {
	var out []sameOn
	index := map[string]int{}
	for _, group := range groups {
		text := strings.Join(lines(group, hosts), "\n")
		host := group[0].ID.Host()
		if len(groups) <= mostHosts {
			out = append(out, sameOn{[]string{host}, text})
			continue
		}
		text = anyDigest(text)
		i, ok := index[text]
		if !ok {
			i = len(out)
			index[text] = i
			out = append(out, sameOn{text: text})
		}
		out[i].hosts = append(out[i].hosts, host)
	}
	return out
}

// lines shows a host's changes, a line each. What the cluster holds of every host, as
// its nodes, shares one where hosts are many.
func lines(changes []plan.Change, hosts map[string]bool) []string {
	type like struct{ mark, kind, reason string }
	var out []string
	at, same := map[like]int{}, map[like][]string{}
	for _, c := range changes {
		kind, name, _ := strings.Cut(c.ID.What(), ":")
		l := like{marks[c.Action], kind, ""}
		if c.Action != plan.Create { // that a thing to be created is absent goes without saying
			l.reason = ": " + c.Reason
		}
		n := len(out)
		if hosts[name] && len(hosts) > mostHosts {
			if len(same[l]) > 0 {
				n = at[l]
			}
			at[l], same[l] = n, append(same[l], name)
			name = firstOf(same[l], "more")
		}
		line := fmt.Sprintf("  %s %s:%s%s", l.mark, kind, name, l.reason)
		if n < len(out) {
			out[n] = line
		} else {
			out = append(out, line)
		}
	}
	return out
}

// anyDigest takes the digests out of a text.
func anyDigest(text string) string {
	parts := strings.Split(text, "sha256:")
	for i, p := range parts[1:] {
		parts[i+1] = strings.TrimLeft(p, "0123456789abcdef")
	}
	return strings.Join(parts, "sha256:…")
}

// names are hosts' names, not more than can be read.
func names(hosts []string) string { return firstOf(hosts, "more hosts, each") }

// firstOf are the first of some names, and how many more there are.
func firstOf(names []string, more string) string {
	const most = 3
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d %s", strings.Join(names[:most], ", "), len(names)-most, more)
}

// hostsOf are the hosts that a plan is about.
func hostsOf(changes []plan.Change) map[string]bool {
	hosts := map[string]bool{}
	for _, c := range changes {
		hosts[c.ID.Host()] = true
	}
	return hosts
}

// byHost groups changes by host, in the order in which each is first met.
func byHost(changes []plan.Change) [][]plan.Change {
	var groups [][]plan.Change
	index := map[string]int{}
	for _, c := range changes {
		i, ok := index[c.ID.Host()]
		if !ok {
			i = len(groups)
			index[c.ID.Host()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

func summary(pending []plan.Change, all int) string {
	count := map[plan.Action]int{}
	for _, c := range pending {
		count[c.Action]++
	}
	var words []string
	for _, a := range []plan.Action{plan.Create, plan.Update, plan.Restart, plan.Delete} {
		if count[a] > 0 {
			words = append(words, fmt.Sprintf("%d to %s", count[a], a))
		}
	}
	return fmt.Sprintf("%s; %d of %d things are as the inventory says.", strings.Join(words, ", "), all-len(pending), all)
}

func past(a plan.Action) string {
	switch a {
	case plan.Create:
		return "created"
	case plan.Update:
		return "updated"
	case plan.Restart:
		return "restarted"
	case plan.Delete:
		return "deleted"
	case plan.NoOp:
	}
	return string(a)
}
