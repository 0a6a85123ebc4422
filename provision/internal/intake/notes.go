package intake

import (
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/puppetdb"
)

// Note is what is to be known of a host, whatever becomes of its row.
type Note struct {
	Kind     Kind   `json:"kind"`
	Certname string `json:"certname"`
	Host     string `json:"host,omitempty"` // its name in the inventory
	Text     string `json:"text"`
}

// Kind is what a note is about.
type Kind string

// The kinds.
const (
	ByHand          Kind = "by-hand"           // its row is written by hand
	Ignored         Kind = "ignored"           // no row is wanted of it
	OtherRole       Kind = "other-role"        // it is no host of the cluster, by its certificate
	UnpinnedMaster  Kind = "unpinned-master"   // it is a master, but not a listed one
	NoName          Kind = "no-name"           // none that a host could have
	NoAddress       Kind = "no-address"        // none that a machine could have
	NoFailureDomain Kind = "no-failure-domain" // it is not known
	NoHostKey       Kind = "no-host-key"       // it is not known
	Absent          Kind = "absent"            // PuppetDB does not have it any more
	Deactivated     Kind = "deactivated"
	Expired         Kind = "expired"
	Stale           Kind = "stale"          // its facts are old
	Failing         Kind = "failing"        // its agent's last run failed
	NoopPending     Kind = "noop-pending"   // its agent would change something, but may not
	CachedCatalog   Kind = "cached-catalog" // its agent got no new catalog, and took the old one
)

// kept is what becomes of a row whose host is gone.
const kept = "its row is kept; puppetdb { ignore } takes it away, after `drover node remove`"

func (t *taking) note(kind Kind, certname, host, text string) {
	t.Notes = append(t.Notes, Note{Kind: kind, Certname: certname, Host: host, Text: text})
}

// health tells how an active host's agent is doing.
func (t *taking) health(n puppetdb.Node, host string) {
	s := n.Status
	switch {
	case n.FactsAt.IsZero():
		t.note(Stale, n.Certname, host, "PuppetDB has no facts of it")
	case t.ahead(n):
		t.note(Stale, n.Certname, host, fmt.Sprintf("its facts are of %s from now, which is not believed: PuppetDB's clock, or its database's, was wrong", hours(n.FactsAt.Sub(t.Now))))
	case t.stale(n):
		t.note(Stale, n.Certname, host, fmt.Sprintf("its facts are of %s, and believed for %s", since(t.Now, n.FactsAt), hours(t.Settings.MaxAge.Duration())))
	}
	if s.Report == "failed" {
		t.note(Failing, n.Certname, host, "its agent's last run failed")
	}
	if s.NoopPending {
		t.note(NoopPending, n.Certname, host, "its agent would change something, and is kept from it by noop")
	}
	if s.CachedOnFailure {
		t.note(CachedCatalog, n.Certname, host, "its agent got no new catalog, and ran with an old one")
	}
}

// inactive tells of a host that PuppetDB does not take for one in use, and what becomes
// of its row.
func (t *taking) inactive(certname, host string, s puppetdb.Status, what string) {
	switch {
	case !s.Deactivated.IsZero():
		t.note(Deactivated, certname, host, fmt.Sprintf("it was deactivated in PuppetDB %s: %s", since(t.Now, s.Deactivated), what))
	case !s.Expired.IsZero():
		t.note(Expired, certname, host, fmt.Sprintf("it expired in PuppetDB %s, as nothing was heard of it: %s", since(t.Now, s.Expired), what))
	default:
		t.note(Absent, certname, host, "PuppetDB does not know it any more: "+what)
	}
}

// since is how long ago something was.
func since(now, at time.Time) string {
	ago := now.Sub(at)
	if ago > 48*time.Hour {
		return fmt.Sprintf("%d days ago", int(ago.Hours())/24)
	}
	return hours(ago) + " ago"
}

// hours is a span of time to the minute: 2h, 1h30m, 5m.
func hours(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	text := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
