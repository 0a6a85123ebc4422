package view

import (
	"embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

// capacityFiles are the page's parts: each file defines the template of its name.
//
//go:embed capacitypage/*.html
var capacityFiles embed.FS

// Made is when and by which drover a page was made: it outlives the run.
type Made struct {
	At      time.Time
	Version string
}

// capacityPage is a capacity report in words and lengths, a field a section.
type capacityPage struct {
	Made
	Cluster, TierText, Counts string
	Tier                      int
	Verdict                   capacityVerdict
	Supposed                  []string
	Unknown                   []note
	Summary                   []fact
	Fits, Headroom            []placedGroup
	Domains                   domainSection
	Growth                    growthSection
	Checks                    []checkCard
}

type capacityVerdict struct {
	Status provision.CapacityStatus
	Text   string
}

// note is what limits what the report says. On is whom it is about, and may be empty.
type note struct{ On, Text, Fix string }

// fact is something that a cluster has.
type fact struct {
	Name, Text string
	Bars       []bar
}

// checkCard is a check, told once of all that it is the same of.
type checkCard struct {
	provision.CapacityCheck
	On, At string
}

// Bad says whether it is to be read first.
func (c checkCard) Bad() bool { return c.Status != provision.CapacityPass }

// CapacityHTML shows what a cluster can hold and must as a page that stands alone.
func (v View) CapacityHTML(r provision.CapacityReport, made Made) error {
	t, err := template.ParseFS(capacityFiles, "capacitypage/*.html")
	if err != nil {
		return err
	}
	var b strings.Builder // a page that is cut off would look whole
	if err := t.ExecuteTemplate(&b, "page", v.capacityPage(r, made)); err != nil {
		return err
	}
	_, err = fmt.Fprint(v.Out, b.String())
	return err
}

func (v View) capacityPage(r provision.CapacityReport, made Made) capacityPage {
	return capacityPage{
		Made: made, Cluster: r.Cluster.Name, Tier: r.Tier, TierText: tiersText(r.Tier), Counts: capacityCounts(r.Checks),
		Verdict: judgement(r), Supposed: v.cleanAll(r.Supposed), Unknown: v.unknown(r), Summary: facts(r.Summary),
		Fits: v.fits(r), Headroom: v.headroom(r), Domains: domainsOf(r), Growth: v.growth(r.Growth), Checks: v.checkCards(r.Checks),
	}
}

func tiersText(tier int) string {
	if tier == 0 {
		return tiers[0]
	}
	return "the inventory, " + strings.Join(tiers[1:tier+1], ", and ")
}

func (v View) cleanAll(texts []string) []string {
	var out []string
	for _, text := range texts {
		out = append(out, v.clean(text))
	}
	return out
}

// judgement says no more than was looked at, and of no other cluster than was.
func judgement(r provision.CapacityReport) capacityVerdict {
	counts := map[provision.CapacityStatus]int{}
	for _, c := range r.Checks {
		if c.Waived == nil {
			counts[c.Status]++
		}
	}
	out := capacityVerdict{Status: provision.CapacityWorst(r.Checks)}
	switch n := counts[out.Status]; {
	case out.Status == provision.CapacityFail && n == 1:
		out.Text = "The cluster cannot hold what it must: 1 check fails."
	case out.Status == provision.CapacityFail:
		out.Text = fmt.Sprintf("The cluster cannot hold what it must: %d checks fail.", n)
	case out.Status == provision.CapacityWarn && n == 1:
		out.Text = "Nothing fails that is not waived; 1 check warns."
	case out.Status == provision.CapacityWarn:
		out.Text = fmt.Sprintf("Nothing fails that is not waived; %d checks warn.", n)
	case slices.ContainsFunc(r.Checks, func(c provision.CapacityCheck) bool { return c.Waived != nil }):
		out.Text = "But for what is waived, the cluster can hold what it must, by every check that was made."
	default:
		out.Text = "The cluster can hold what it must, by every check that was made."
	}
	if len(r.Supposed) > 0 { // it may be quoted without what is above it
		out.Text = "Supposed: " + strings.ToLower(out.Text[:1]) + out.Text[1:]
	}
	if n := len(r.Away); n > 0 {
		out.Text += fmt.Sprintf(" Not all was looked at: %s could not be asked.", count(n, "host"))
	} else if len(r.Warnings) > 0 {
		out.Text += " Not all was looked at."
	}
	return out
}

// unknown is what the report could not tell, and what is wrong with waivers.
func (v View) unknown(r provision.CapacityReport) []note {
	var notes []note
	for _, name := range slices.Sorted(maps.Keys(r.Away)) {
		notes = append(notes, note{On: name, Text: "could not be asked: " + v.clean(r.Away[name].Error())})
	}
	for _, w := range r.Warnings {
		notes = append(notes, note{Text: v.clean(w)})
	}
	for _, p := range r.Notes {
		text := p.Summary
		if p.Detail != "" {
			text += ": " + p.Detail
		}
		n := note{Text: v.clean(text), Fix: v.clean(p.Fix)}
		if p.At != nil {
			n.On = p.At.String()
		}
		notes = append(notes, n)
	}
	return notes
}

// facts are the summary's.
func facts(s provision.CapacitySummary) []fact {
	a := s.Addresses
	all := []fact{
		{Name: "Hosts", Text: fmt.Sprintf("%s and %s in %s, of which %d may be lost; profile %s",
			count(s.Masters, "master"), count(s.Nodes, "node"), domainsText(s.Domains), s.Tolerate, s.Profile)},
		{Name: "Pod addresses", Text: fmt.Sprintf("%d addresses in %s", a.Pods, a.PodCIDR),
			Bars: bars(limited(fmt.Sprintf("Blocks of /%d", a.BlockSize), a.BlocksUsed, a.Blocks, "may be needed"))},
		{Name: "Service addresses", Text: fmt.Sprintf("%d addresses in %s", a.Services, a.ServiceCIDR)},
	}
	if s.Mesh > 0 {
		all = append(all, fact{Name: "BGP mesh", Text: fmt.Sprintf("%s between %s", count(s.Mesh, "session"), count(s.Masters+s.Nodes, "host"))})
	}
	for _, f5 := range s.BigIPs {
		all = append(all, fact{Name: "BIG-IP " + f5.Name, Text: peeringText(f5), Bars: bars(
			limited("BGP sessions", int64(f5.Sessions), int64(f5.MaxPeers), "are needed"),
			limited("Routes", f5.Routes, int64(f5.MaxRoutes), "may be needed"),
		)})
	}
	if s.Pods > 0 {
		all = append(all, asking("Declared workloads", count(s.Pods, "pod")+" ask", s.Declared, s.Allocatable))
	}
	if s.Running != nil {
		all = append(all, asking("What runs", "pods that are not a DaemonSet's ask", *s.Running, s.Allocatable))
	}
	room := fact{Name: "Room for pods", Text: "not known: no host that takes ordinary pods was looked at"}
	if s.Allocatable != nil {
		room.Text = fmt.Sprintf("%s on %s, without what DaemonSets ask for", roomText(*s.Allocatable), count(s.Allocatable.Hosts, "host"))
	}
	return append(all, room)
}

// domainsText counts the failure domains that are told.
func domainsText(domains []provision.CapacityDomain) string {
	n, untold := len(domains), 0
	for _, d := range domains {
		if d.Name == "" {
			n, untold = n-1, d.Masters+d.Nodes
		}
	}
	text := count(n, "failure domain")
	if untold > 0 {
		text += fmt.Sprintf(" (and %s that no domain is told of)", count(untold, "host"))
	}
	return text
}

// peeringText is for what no bar can show: what has no limit.
func peeringText(f5 provision.CapacityPeering) string {
	var parts []string
	if f5.MaxPeers == 0 {
		parts = append(parts, count(f5.Sessions, "BGP session")+", of a number that the inventory does not tell")
	}
	if f5.MaxRoutes == 0 {
		parts = append(parts, count(int(f5.Routes), "route")+", of a number that the inventory does not tell")
	}
	return strings.Join(parts, "; ")
}

// asking is what pods ask for, of the room there is, if that is known.
func asking(name, who string, asks provision.CapacityRoom, room *provision.CapacityRoom) fact {
	f := fact{Name: name, Text: fmt.Sprintf("%s for %s", who, roomText(asks))}
	if room != nil {
		f.Bars = bars(
			amountBar("CPU", int64(asks.CPU), int64(room.CPU), cpuText),
			amountBar("Memory", int64(asks.Memory), int64(room.Memory), gibibytes),
		)
	}
	return f
}

func roomText(r provision.CapacityRoom) string {
	return cores(r.CPU) + " CPU and " + gibibytes(int64(r.Memory))
}

func cpuText(milli int64) string { return cores(inventory.MilliCPU(milli)) }

// checkCards are the checks, the worst first: what is the same of several hosts is
// told once, with all their names.
func (v View) checkCards(checks []provision.CapacityCheck) []checkCard {
	type same struct{ status, id, measured, threshold, formula, fix, waived string }
	var cards []checkCard
	at := map[same]int{}
	for _, c := range checks {
		key := same{string(c.Status), c.ID, c.Measured, c.Threshold, c.Formula, c.Fix, ""}
		if c.Waived != nil {
			key.waived = c.Waived.Until + c.Waived.Reason
		}
		i, ok := at[key]
		if !ok {
			i = len(cards)
			at[key] = i
			cards = append(cards, v.checkCard(c))
			continue
		}
		cards[i].On, cards[i].At = cards[i].On+", "+v.clean(c.Subject), ""
	}
	order := func(c checkCard) int {
		rank := slices.Index([]provision.CapacityStatus{provision.CapacityFail, provision.CapacityWarn, provision.CapacityPass}, c.Status) * 2
		if c.Waived != nil {
			rank++
		}
		return rank
	}
	slices.SortStableFunc(cards, func(a, b checkCard) int { return order(a) - order(b) })
	return cards
}

func (v View) checkCard(c provision.CapacityCheck) checkCard {
	card := checkCard{CapacityCheck: c, On: v.clean(c.Subject)}
	for _, text := range []*string{&card.Measured, &card.Threshold, &card.Formula, &card.Source, &card.Fix} {
		*text = v.clean(*text)
	}
	if c.At != nil {
		card.At = c.At.String()
	}
	return card
}
