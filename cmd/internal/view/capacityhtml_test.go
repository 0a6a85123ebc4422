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
		Supposed: []string{"1.5 times the pods that are declared, and that run", "workload " + long + " declared: 3 pods of " + markup, "hunter2 removed"},
		Growth:   growthOf(long),
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
			Pods: 183, Declared: *room(60000, 240, 0), Allocatable: room(78500, 298, 13), Running: room(45250, 180, 0),
			DeclaredFit: &provision.CapacityFit{
				Pods: 183, Placed: 171, Without: []string{"esx-01"}, Left: 98, Tried: true, Unseen: 1,
				Workloads: []provision.CapacityWorkloadFit{
					{Name: "web", Pods: 120, Placed: 120, More: 38}, {Name: "batch", Pods: 60, Placed: 51, More: 2, Why: "9 pods lack memory: " + markup},
					{Name: long, Pods: 0, Placed: 0, More: 7}, {Name: markup, Pods: 3},
				},
			},
			RunningFit: &provision.CapacityFit{
				Pods: 90, Placed: 90, Exact: true, Without: []string{long, markup}, Left: 90, Workloads: []provision.CapacityWorkloadFit{},
			},
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

// growthOf has one of each kind of limit.
func growthOf(long string) *provision.CapacityGrowth {
	return &provision.CapacityGrowth{Like: "kube-node-1", First: []int{2}, Limits: []provision.CapacityLimit{
		{Check: "pod-blocks", Nodes: 154, Status: provision.CapacityFail, Measured: "1030 blocks", Threshold: "1024 blocks"},
		{Check: "service-cidr", Nodes: 4986, Never: true, Status: provision.CapacityPass, Measured: "65536 addresses", Threshold: "apart from all else"},
		{Check: "bigip-routes", Subject: "f5-a", Over: true, Status: provision.CapacityFail, Measured: "871 routes", Threshold: "800 routes"},
		{Check: "bigip-sessions", Subject: long, Nodes: 1, Status: provision.CapacityFail, Measured: markup, Threshold: "16 sessions"},
	}}
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
	"h1": "", "h2": "id", "h3": "", "h4": "", "p": "", "span": "aria-hidden", "b": "", "strong": "", "code": "", "br": "", "time": "datetime",
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
		"This is not the cluster as it is", "1.5 times the pods that are declared, and that run", "(secret) removed", "Supposed: the cluster cannot hold",
		"171 of 183 pods find a place in whatever order they come", "1 host of which nothing is known", "120 of 120 pods placed; room for 38 more",
		"51 of 60 pods placed; room for 2 more", "9 pods lack memory", "Without failure domain esx-01, the worst to lose: 85 pods may find no place.",
		"98 of 183 find a place", "60 of 40 (more than there is)", "45.25 of 68.5 (66\u00a0%)", "not all were tried", "90 of 90 find a place",
		"With 155 more", "Any number", "1 more node",
		"871 of 800 may be needed (more than there is)", "870 of 1024 may be needed (85\u00a0%)",
	} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// What runs out first is marked, alone, and comes first; what never does comes last.
func TestCapacityHTMLMarksWhatRunsOutFirst(t *testing.T) {
	doc, err := html.Parse(bytes.NewReader(page(t, capacityOf())))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "article" || !strings.Contains(n.Attr[0].Val, "limit") {
			continue
		}
		var text strings.Builder
		for d := range n.Descendants() {
			text.WriteString(d.Data + " ")
		}
		for _, l := range growthOf("").Limits {
			if strings.Contains(text.String(), l.Check) {
				got = append(got, l.Check)
			}
		}
		if strings.Contains(n.Attr[0].Val, "first") != strings.Contains(text.String(), "runs out first") {
			t.Errorf("%s is not marked as it looks", got[len(got)-1])
		}
		if strings.Contains(text.String(), "runs out first") {
			got[len(got)-1] += ", first"
		}
	}
	want := "bigip-routes, first; bigip-sessions; pod-blocks; service-cidr"
	if strings.Join(got, "; ") != want {
		t.Errorf("%q, want %s", got, want)
	}
}

// A page of the cluster as it is does not look like one of what is supposed.
func TestCapacityHTMLSaysWhatIsSupposed(t *testing.T) {
	r := capacityOf()
	text := string(page(t, r))
	for _, s := range []string{"<title>Supposed: ", ", supposed</h1>", ">This is not the cluster as it is<", "Supposed: the cluster cannot hold"} {
		if !strings.Contains(text, s) {
			t.Errorf("no %q", s)
		}
	}
	if strings.Index(text, "This is not the cluster") > strings.Index(text, `<p class="verdict`) {
		t.Error("the verdict is read first")
	}
	r.Supposed = nil
	text = string(page(t, r))
	if text = text[strings.Index(text, "</style>"):]; strings.Contains(strings.ToLower(text), "suppose") {
		t.Error("it is the cluster as it is")
	}
}

// What is not known is said so, and is not told as nothing or as all.
func TestCapacityHTMLSaysWhatFitsIsNotKnown(t *testing.T) {
	none := capacityOf()
	none.Summary.DeclaredFit, none.Summary.RunningFit = nil, nil
	early := none
	early.Tier = 0
	nothing := none
	nothing.Summary.Pods = 0
	safe := capacityOf()
	safe.Summary.Tolerate = 0
	safe.Summary.RunningFit = &provision.CapacityFit{Pods: 1, Placed: 1, Exact: true}
	untold := capacityOf()
	untold.Summary.DeclaredFit.Without = []string{"kube-node-7"} // in no domain, so one by itself
	for want, r := range map[string]provision.CapacityReport{
		"It was not looked at: tier 0 asks no host.": early, "no host that takes ordinary pods has told": none, "There is nothing to place": nothing,
		"none may be lost.": safe, "Without failure domain kube-node-7": untold,
	} {
		text := string(page(t, r))
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
		if r.Summary.DeclaredFit == nil && strings.Contains(text, "find a place<") {
			t.Errorf("%s: places are told", want)
		}
		if want == "Without failure domain kube-node-7" && strings.Count(text, "<b>CPU asked for, of what is left") != 1 {
			t.Error("what is left of an unknown loss is told")
		}
	}
}
