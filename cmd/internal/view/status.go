package view

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

// few is how many rows or lines of one kind are shown before only those that
// are not well are.
const few = 20

// Status shows how a cluster is.
func (v View) Status(s provision.Status, f Format) error {
	if f == JSON {
		return v.json(s)
	}
	var b strings.Builder
	if len(s.Problems) == 0 {
		fmt.Fprintf(&b, "cluster %s: all is well\n", s.Cluster)
	} else {
		fmt.Fprintf(&b, "cluster %s: %s\n", s.Cluster, count(len(s.Problems), "thing")+" not well")
	}
	if s.Standing != "new" {
		hosts(&b, s)
		components(&b, s.Hosts)
		summaries(&b, s)
	}
	problems(&b, s.Problems)
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

// table aligns columns; rows are words by tabs.
func table(b *strings.Builder, rows []string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.TrimRight(r, "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// hosts is a row a host; of many, only those that are not well.
func hosts(b *strings.Builder, s provision.Status) {
	rows := []string{"\nHOST\tROLE\tNODE\tCOMPONENTS\tCERTIFICATES\tBGP"}
	left := 0
	for i, h := range s.Hosts {
		row, well := hostRow(s, i)
		if well && len(s.Hosts) > few {
			left++
			continue
		}
		rows = append(rows, h.Name+"\t"+row)
	}
	if len(rows) > 1 {
		table(b, rows)
	}
	if left > 0 {
		fmt.Fprintf(b, "\n%d of %s well\n", left, count(len(s.Hosts), "host"))
	}
}

func hostRow(s provision.Status, i int) (row string, well bool) {
	h := s.Hosts[i]
	role := "node"
	if h.Role == inventory.RoleMaster {
		role = "master"
	}
	node := "Ready"
	switch {
	case h.Node.Why == "not known":
		node = "not known"
	case !h.Node.Ready:
		node = "NOT READY"
	}
	if h.Node.Cordoned {
		node += ", cordoned"
	}
	if h.Away != "" {
		return fmt.Sprintf("%s\t%s\tAWAY\t-\t-", role, node), false
	}
	up, units := 0, 0
	for _, c := range h.Components {
		if c.Unit == "" {
			continue
		}
		units++
		if c.Up() {
			up++
		}
	}
	active := fmt.Sprintf("%d active", up)
	if up < units {
		active = fmt.Sprintf("%d of %d ACTIVE", up, units)
	}
	sessions, bgpWell := hostSessions(s.BGP, h.Name)
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", role, node, active, soonest(h.Certificates), sessions),
		h.Node.Ready && up == units && bgpWell && lasting(h.Certificates)
}

func soonest(certs []provision.Expiry) string {
	if len(certs) == 0 {
		return "-"
	}
	c := certs[0]
	if c.Why != "" {
		return fmt.Sprintf("%s %s", c.Name, strings.ToUpper(c.Why))
	}
	return fmt.Sprintf("%d days (%s)", c.DaysLeft, c.Name)
}

// renewal is when drover renews a certificate, and so when one is worth a row.
const renewal = 30

func lasting(certs []provision.Expiry) bool {
	return len(certs) == 0 || certs[0].Why == "" && certs[0].DaysLeft >= renewal
}

// hostSessions is a host's sessions in numbers, as it sees them itself.
func hostSessions(b provision.BGPStatus, name string) (text string, well bool) {
	well = true
	up, want := 0, 0
	for _, f5 := range b.BigIPs {
		for _, s := range f5.Sessions {
			if s.Host != name {
				continue
			}
			want++
			if s.AtHost == nil {
				return "not known", false
			}
			well = well && s.Up()
			if s.AtHost.Up() {
				up++
			}
		}
	}
	text = fmt.Sprintf("BIG-IPs %d/%d", up, want)
	for _, m := range b.Mesh {
		if m.Host != name {
			continue
		}
		if m.Why != "" {
			return "not known", false
		}
		well = well && m.Up == m.Want
		text += fmt.Sprintf(", hosts %d/%d", m.Up, m.Want)
	}
	return text, well
}

// components is a line for each component and version.
func components(b *strings.Builder, hosts []provision.HostStatus) {
	type kind struct{ name, version string }
	all, up := map[kind]int{}, map[kind]int{}
	units := map[string]bool{}
	var order []kind
	for _, h := range hosts {
		for _, c := range h.Components {
			k := kind{c.Name, c.Version}
			if all[k] == 0 {
				order = append(order, k)
			}
			all[k]++
			if c.Unit != "" {
				units[c.Name] = true
			}
			if c.Up() {
				up[k]++
			}
		}
	}
	if len(order) == 0 {
		return
	}
	slices.SortFunc(order, func(a, b kind) int {
		return strings.Compare(a.name+" "+a.version, b.name+" "+b.version)
	})
	rows := []string{"\nCOMPONENT\tVERSION\tHOSTS\tSTATE"}
	for _, k := range order {
		version, state := k.version, "-"
		if version == "" {
			version = "-"
		}
		if units[k.name] {
			state = "active"
			if up[k] < all[k] {
				state = fmt.Sprintf("%d of %d ACTIVE", up[k], all[k])
			}
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%s", k.name, version, all[k], state))
	}
	table(b, rows)
}

// summaries is a line for each thing the cluster has one of.
func summaries(b *strings.Builder, s provision.Status) {
	rows := []string{"\nAPI\t" + brief(s.API.Text)}
	if s.Etcd.Quorum == "" {
		rows = append(rows, "etcd\t"+brief(s.Etcd.Text))
	} else {
		text := s.Etcd.Quorum
		if s.Etcd.Leader != "" {
			text += "; " + s.Etcd.Leader + " leads"
		}
		var size int64
		for _, m := range s.Etcd.Members {
			size = max(size, m.DBBytes)
		}
		if size > 0 {
			text += fmt.Sprintf("; %.1f MiB", float64(size)/(1<<20))
		}
		rows = append(rows, "etcd\t"+text)
	}
	for _, f5 := range s.BGP.BigIPs {
		rows = append(rows, f5.Name+"\t"+bigIPSummary(f5))
	}
	rows = append(rows, "certificates\t"+certificateSummary(s))
	if len(s.Strangers) > 0 {
		rows = append(rows, "strangers\t"+listed(s.Strangers))
	}
	rows = append(rows, "inventory\t"+differences(s.Inventory))
	table(b, rows)
}

func certificateSummary(s provision.Status) string {
	text := "none was seen"
	var first provision.Expiry
	var where string
	for _, h := range s.Hosts {
		for _, c := range h.Certificates {
			if c.Why == "" && (where == "" || c.NotAfter.Before(first.NotAfter)) {
				first, where = c, h.Name
			}
		}
	}
	if where != "" {
		text = fmt.Sprintf("the first to end is %s on %s, in %d days", first.Name, where, first.DaysLeft)
	}
	if len(s.Authorities) > 0 {
		ca := slices.MinFunc(s.Authorities, func(a, b provision.Expiry) int { return a.NotAfter.Compare(b.NotAfter) })
		text += fmt.Sprintf("; of the authorities, %s, in %d days", ca.Name, ca.DaysLeft)
	}
	return text
}

func differences(d provision.Differences) string {
	switch {
	case d.Why != "":
		return "what differs from it is not known"
	case len(d.Pending)+d.Unseen == 0:
		return fmt.Sprintf("%d things are as it says", d.Things)
	}
	byAction := map[string]int{}
	for _, p := range d.Pending {
		byAction[string(p.Action)]++
	}
	var words []string
	for _, a := range []string{"create", "update", "restart", "delete"} {
		if byAction[a] > 0 {
			words = append(words, fmt.Sprintf("%d to %s", byAction[a], a))
		}
	}
	if d.Unseen > 0 {
		words = append(words, fmt.Sprintf("%d that cannot be seen", d.Unseen))
	}
	return fmt.Sprintf("%s; %d of %d things are as it says", strings.Join(words, ", "), d.Things-len(d.Pending)-d.Unseen, d.Things)
}

// problems are told one by one; of very many, the first.
func problems(b *strings.Builder, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(b, "\nnot well")
	for _, p := range list[:min(len(list), 2*few)] {
		fmt.Fprintln(b, "  "+strings.ReplaceAll(p, "\n", "\n    "))
	}
	if n := len(list) - 2*few; n > 0 {
		fmt.Fprintf(b, "  and %d more (-o json has them all)\n", n)
	}
}

// brief is a text's first line.
func brief(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if more {
		line += " …"
	}
	return line
}

// listed names some of a list.
func listed(names []string) string {
	if n := len(names) - few; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), n)
	}
	return strings.Join(names, ", ")
}
