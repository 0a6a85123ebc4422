package view_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// markup is text that hosts and inventories may hold.
const markup = `"><script src=//evil.example/x.js></script><img src=x onerror=alert(1)> </style>'`

func room(cpu int, memory int64, hosts int) *provision.CapacityRoom {
	return &provision.CapacityRoom{CPU: inventory.MilliCPU(cpu), Memory: inventory.Bytes(memory << 30), Hosts: hosts}
}

func checked(id string, s provision.CapacityStatus, subject, measured, threshold, fix string) provision.CapacityCheck {
	return provision.CapacityCheck{
		ID: id, Tier: 1, Subject: subject, Status: s, Measured: measured, Threshold: threshold, Fix: fix,
		Formula: "what is measured ÷ what there is", Source: "Kubernetes, Considerations for large clusters: https://kubernetes.io/docs/setup/best-practices/cluster-large/",
	}
}

// capacityOf is a report that has one of everything.
func capacityOf() provision.CapacityReport {
	long := strings.Repeat("node", 40) // there is no place to break it at
	waived := checked("master-memory", provision.CapacityFail, "kube-master-1", "3.8 GiB", "8 GiB (standard)", "give the host more memory")
	waived.Waived = &provision.CapacityWaived{Reason: "more is <ordered>: " + long, Until: "2027-01-31"}
	at := &diag.Range{File: "/etc/drover/inventory.d/20-nodes.hcl"}
	at.Start.Line, at.Start.Column = 12, 3
	placed := checked("pod-blocks", provision.CapacityWarn, "", "870 blocks", "1024 blocks, warning above 819", "choose a larger pod_cidr")
	placed.At = at
	return provision.CapacityReport{
		Cluster: &inventory.Cluster{Name: "prod1"}, Tier: 1,
		Summary: provision.CapacitySummary{
			Masters: 3, Nodes: 12, Profile: "standard", Tolerate: 1,
			Domains: []provision.CapacityDomain{
				{Name: "", Masters: 1},
				{Name: "esx-01", Masters: 1, Nodes: 5, Allocatable: room(38500, 140, 5), Running: room(12250, 61, 0)},
				{Name: "esx-02", Masters: 1, Nodes: 5, Allocatable: room(30000, 120, 5), Running: room(33000, 119, 0)},
				{Name: long, Nodes: 2, Allocatable: room(8000, 30, 2), Running: room(0, 0, 0)},
				{Name: markup, Nodes: 1, Allocatable: room(2000, 8, 1)},
			},
			Addresses: provision.CapacityAddresses{
				PodCIDR: "10.100.0.0/16", Pods: 65536, BlockSize: 26, Blocks: 1024, BlocksUsed: 870, ServiceCIDR: "10.101.0.0/16", Services: 65536,
			},
			Mesh: 105,
			BigIPs: []provision.CapacityPeering{
				{Name: "f5-a", Sessions: 15, MaxPeers: 64, Routes: 871, MaxRoutes: 800}, {Name: long, Sessions: 15, Routes: 871},
			},
			Pods: 120, Declared: *room(60000, 240, 0), Allocatable: room(78500, 298, 13), Running: room(45250, 180, 0),
		},
		Checks: []provision.CapacityCheck{
			checked("quorum", provision.CapacityPass, "", long, "a majority after 1 is lost", ""),
			placed,
			checked("bigip-routes", provision.CapacityFail, "f5-a", "871 routes", "800 routes", "raise max_routes, or use larger blocks"),
			waived,
			checked("node-disk", provision.CapacityWarn, "kube-node-1", "12 % free", "15 %", "make room on "+long),
			checked("node-disk", provision.CapacityWarn, long, "12 % free", "15 %", "make room on "+long),
			checked("workload-fits", provision.CapacityPass, markup, "one pod asks for "+markup, "1 host", ""),
		},
		Notes: diag.Problems{{
			Code: "capacity-waiver-expired", Summary: "the waiver of node-swap has expired", Detail: "its last day was 2020-12-31",
			Fix: "mend it, or set a later day", At: at,
		}},
		Away:     map[string]error{"kube-node-9": errors.New("dial tcp 10.90.0.29:22: i/o timeout\n\x1b[31m" + markup)},
		Warnings: []string{"the cluster could not be asked what its pods ask for: hunter2 was refused"},
	}
}

func page(t *testing.T, r provision.CapacityReport) []byte {
	t.Helper()
	var out bytes.Buffer
	v := view.View{Out: &out, Clean: func(s string) string { return strings.ReplaceAll(s, "hunter2", "(secret)") }}
	made := view.Made{At: time.Date(2026, 11, 29, 13, 5, 0, 0, time.FixedZone("CET", 3600)), Version: "v1.2.3"}
	if err := v.CapacityHTML(r, made); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCapacityHTML(t *testing.T) {
	golden(t, "capacity.html", page(t, capacityOf()))
	bare := provision.CapacityReport{Cluster: &inventory.Cluster{Name: "c"}, Summary: provision.CapacitySummary{
		Masters: 1, Profile: "lean", Domains: []provision.CapacityDomain{{Masters: 1}}, Addresses: capacityOf().Summary.Addresses,
	}}
	golden(t, "capacity-bare.html", page(t, bare))
}

// What a page may have that loads nothing and runs nothing: all else is found wanting,
// so that what a browser learns to load next is as well.
var harmless = map[string]string{
	"html": "lang", "head": "", "meta": "charset http-equiv content name", "title": "", "style": "", "body": "", "header": "", "main": "",
	"h1": "", "h2": "id", "h3": "", "p": "", "span": "aria-hidden", "b": "", "strong": "", "code": "", "br": "", "time": "datetime",
	"section": "aria-labelledby", "article": "", "div": "", "ul": "", "li": "", "dl": "", "dt": "", "dd": "",
	"svg": "role aria-label width height", "rect": "x y width height",
}

// wrongIn is what of a page could reach for something outside of it.
func wrongIn(t *testing.T, page []byte) []string {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for n := range doc.Descendants() {
		switch n.Type {
		case html.ElementNode:
			allowed, ok := harmless[n.Data]
			if !ok {
				wrong = append(wrong, "<"+n.Data+">")
			}
			for _, a := range n.Attr {
				if a.Key != "class" && !strings.Contains(" "+allowed+" ", " "+a.Key+" ") || a.Key == "http-equiv" && a.Val != "Content-Security-Policy" {
					wrong = append(wrong, "<"+n.Data+" "+a.Key+"="+a.Val+">")
				}
			}
		case html.TextNode:
			if n.Parent.Data != "style" {
				continue
			}
			for _, word := range []string{"url(", "@import", "@font-face", "image(", "image-set(", "src("} {
				if strings.Contains(n.Data, word) {
					wrong = append(wrong, word)
				}
			}
		}
	}
	return wrong
}

// The page stands alone, and no text gets out of its place.
func TestCapacityHTMLStandsAlone(t *testing.T) {
	text := page(t, capacityOf())
	if wrong := wrongIn(t, text); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	for _, secret := range []string{"hunter2", "\x1b"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q is shown", secret)
		}
	}
	for _, bad := range []string{
		`<img src="x">`, `<script>1</script>`, `<a href="https://example.net">x</a>`, `<link rel=icon href=x>`, `<p style="background: red">`,
		`<p onclick="x">`, `<style>@import "x"</style>`, `<style>p { background: url(x) }</style>`, `<meta http-equiv=refresh content="0; url=x">`,
		`<svg><use href="x"/></svg>`,
	} {
		if len(wrongIn(t, []byte(bad))) == 0 {
			t.Errorf("%s is let through", bad)
		}
	}
}

// A page tells all that JSON does of a check.
func TestCapacityHTMLTellsAll(t *testing.T) {
	r := capacityOf()
	doc, err := html.Parse(bytes.NewReader(page(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		}
	}
	text := b.String()
	for _, c := range r.Checks {
		want := []string{c.ID, string(c.Status), c.Subject, c.Measured, c.Threshold, c.Formula, c.Source, c.Fix}
		if c.Waived != nil {
			want = append(want, c.Waived.Reason, c.Waived.Until)
		}
		if c.At != nil {
			want = append(want, c.At.String())
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q", c.ID, w)
			}
		}
	}
	for _, w := range []string{
		"2026-11-29 13:05 CET", "drover v1.2.3", "up to tier 1", "could not be asked: dial tcp", "the waiver of node-swap has expired",
		"1 check fails", "1 host could not be asked", "12.25 of 38.5 cores taken (32\u00a0%)", "33 of 30 cores taken (more than there is)",
		"119.0 GiB of 120.0 GiB taken (99\u00a0%)", "2 cores; no cluster told what is taken", "No host of it that takes ordinary pods",
		"871 of 800 may be needed (more than there is)", "870 of 1024 may be needed (85\u00a0%)",
	} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}
