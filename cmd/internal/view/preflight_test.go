package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// What is found is told once, however many hosts have it; what is waived is told
// with its reason, and beside a plan not at all.
func TestPreflightText(t *testing.T) {
	s := provision.Survey{Cluster: &inventory.Cluster{Name: "one"}, Away: map[string]error{"n300": errors.New("no route")}}
	at := diag.Range{File: "a.hcl", Start: diag.Pos{Line: 3, Column: 5}}
	port := provision.Finding{ID: "port-taken", Host: "m1", Severity: provision.FindingFail, Measured: "nginx", Wanted: "free", Text: "port 6443 is taken", Fix: "stop it", At: &at}
	findings := []provision.Finding{port}
	for n := range 200 {
		name := fmt.Sprintf("n%d", n)
		s.Facts = append(s.Facts, provision.Facts{Host: name})
		findings = append(findings, provision.Finding{ID: "dns-broken", Host: name, Severity: provision.FindingWarn, Measured: "none", Wanted: "one", Text: "no name server", Fix: "name one"})
	}
	port.Host, port.Waived = "n7", "it goes away next week"
	findings = append(findings, port)
	for _, test := range []struct {
		golden string
		format view.Format
	}{{"preflight-many.txt", view.Text}, {"preflight.json", view.JSON}} {
		var out bytes.Buffer
		shown, listed := s, findings
		if test.format == view.JSON {
			shown.Facts, listed = s.Facts[:2], []provision.Finding{findings[0], findings[1], port}
		}
		if err := (view.View{Out: &out}).Preflight(shown, listed, test.format); err != nil {
			t.Fatal(err)
		}
		golden(t, test.golden, out.Bytes())
	}
	var errs bytes.Buffer
	view.View{Err: &errs}.Findings(findings)
	golden(t, "preflight-apply.txt", errs.Bytes())
	errs.Reset()
	view.View{Err: &errs}.Findings([]provision.Finding{port})
	if errs.Len() > 0 {
		t.Errorf("what is waived was told: %s", errs.String())
	}
}

func TestFactsText(t *testing.T) {
	s := provision.Survey{Cluster: &inventory.Cluster{Name: "one"}, Away: map[string]error{"n2": errors.New("no route")}}
	m := provision.Facts{Host: "m1", Kernel: "6.1.0", Arch: "x86_64", CPUs: 4, Memory: 8 << 30, Login: "ops", Sudo: true}
	m.OS.ID, m.OS.Version, m.Clock.Offset, m.Clock.Error = "debian", "12", -1500*time.Millisecond, 20*time.Millisecond
	n := m
	n.Host, n.Login, n.Sudo, n.Drove.Member, n.Drove.Began = "n1", "root", false, true, true
	s.Facts = []provision.Facts{m, n}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Facts(s, view.Text); err != nil {
		t.Fatal(err)
	}
	golden(t, "facts.txt", out.Bytes())
}
