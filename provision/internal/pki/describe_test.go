package pki

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/google/go-cmp/cmp"
)

// Every certificate of the catalogue, once issued, is the wanted one: else each
// apply would issue it anew.
func TestIssuedIsWanted(t *testing.T) {
	ca := newCA(t, "kubernetes", CAValidity)
	cluster := Cluster{ServiceIP: netip.MustParseAddr("10.101.0.1"), Endpoint: "10.90.0.100"}
	for _, c := range MasterCertificates(cluster, Host{"m1", netip.MustParseAddr("10.90.0.11")}) {
		cert, _ := issue(t, ca, c.Leaf, now)
		d, err := Describe(cert)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Wanted(c.Leaf, ca.Describe()), State(d, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
	if diff := cmp.Diff(WantedCA(ca.Describe()), State(ca.Describe(), now)); diff != "" {
		t.Errorf("CA (-want +got):\n%s", diff)
	}
}

func TestStateShowsWhatDiffers(t *testing.T) {
	ca, other := newCA(t, "kubernetes", CAValidity), newCA(t, "kubernetes", CAValidity)
	base := Leaf{CommonName: "x", Organizations: []string{"b", "a"}, DNSNames: []string{"n"},
		IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Usages: []Usage{Server}, Validity: LeafValidity}
	change := func(f func(*Leaf)) Leaf { l := base; f(&l); return l }
	for _, c := range []struct {
		name string
		ca   Authority
		leaf Leaf
		want []string
	}{
		{"the same", ca, base, nil},
		{"order", ca, change(func(l *Leaf) { l.Organizations = []string{"a", "b"} }), nil},
		{"name", ca, change(func(l *Leaf) { l.CommonName = "y" }), []string{"subject"}},
		{"group", ca, change(func(l *Leaf) { l.Organizations = []string{"a"} }), []string{"subject"}},
		{"SAN", ca, change(func(l *Leaf) { l.IPs = nil }), []string{"sans"}},
		{"usage", ca, change(func(l *Leaf) { l.Usages = []Usage{Server, Client} }), []string{"usages"}},
		{"another CA of the same name", other, base, []string{"issuer"}},
	} {
		cert, _ := issue(t, c.ca, c.leaf, now)
		d, err := Describe(cert)
		if err != nil {
			t.Fatal(err)
		}
		got, want := State(d, now), Wanted(base, ca.Describe())
		var differ []string
		for k := range want {
			if got[k] != want[k] {
				differ = append(differ, k)
			}
		}
		if diff := cmp.Diff(c.want, differ); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestExpires(t *testing.T) {
	end := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	leaf := Description{NotBefore: end.Add(-LeafValidity), NotAfter: end}
	ca := Description{NotBefore: end.Add(-CAValidity), NotAfter: end, CA: true}
	for _, c := range []struct {
		d    Description
		at   time.Time
		want string
	}{
		{leaf, end.Add(-RenewBefore - time.Second), "ok"},
		{leaf, end.Add(-RenewBefore), "ok"},
		{leaf, end.Add(-RenewBefore + time.Second), "within 30 days (2027-01-02)"},
		{leaf, end.Add(-time.Second), "within 30 days (2027-01-02)"},
		{leaf, end, "expired (2027-01-02)"},
		{leaf, leaf.NotBefore.Add(-time.Second), "not yet valid (2026-01-02)"},
		{leaf, leaf.NotBefore, "ok"},
		{ca, end.Add(-time.Second), "ok"},
		{ca, end, "expired (2027-01-02)"},
	} {
		if got := State(c.d, c.at)["expires"]; got != c.want {
			t.Errorf("at %s: %q, want %q", c.at, got, c.want)
		}
	}
}

func TestLifetime(t *testing.T) {
	end := time.Date(2036, 12, 1, 0, 0, 0, 0, time.UTC)
	ca := Description{CommonName: "etcd-ca", NotAfter: end, CA: true}
	for _, c := range []struct {
		at       time.Time
		found    bool
		severity diag.Severity
		code     string
	}{
		{end.Add(-WarnCABefore), false, 0, ""},
		{end.Add(-WarnCABefore + time.Second), true, diag.Warning, CodeCAEnds},
		{end.Add(-FailCABefore), true, diag.Warning, CodeCAEnds},
		{end.Add(-FailCABefore + time.Second), true, diag.Error, CodeCAEnds},
		{end.Add(-time.Second), true, diag.Error, CodeCAEnds},
		{end, true, diag.Error, CodeCAEnded},
	} {
		ps := Lifetime(ca, c.at)
		if (len(ps) == 1) != c.found {
			t.Errorf("at %s: %v", c.at, ps)
			continue
		}
		if !c.found {
			continue
		}
		p := ps[0]
		if p.Severity != c.severity || p.Code != c.code || p.Fix == "" || !strings.Contains(p.Summary, "etcd-ca") || !strings.Contains(p.Summary, "2036-12-01") {
			t.Errorf("at %s: %+v", c.at, p)
		}
	}
}
