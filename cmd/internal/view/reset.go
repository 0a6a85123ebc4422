package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision"
)

// traces are what a reset takes away, in the order in which it is told.
var traces = []struct{ kind, noun string }{
	{"unit", "unit"}, {"component", "component"}, {"file", "file"}, {"data", "data path"},
	{"container", "pod"}, {"mount", "mount"}, {"network", "network trace"}, {"note", "note"}, {"lock", "run trace"},
}

// Reset shows what would be taken away.
func (v View) Reset(r *provision.Reset) error {
	rows := []string{fmt.Sprintf("drover made this for the cluster %q, and a reset removes it:", r.Cluster)}
	for _, h := range r.Hosts {
		rows = append(rows, "  "+h.Name+"\t"+traceWords(h))
	}
	for _, b := range r.BigIPs {
		text := "bare: it has no neighbors of this cluster"
		if len(b.Lines) > 0 {
			text = count(len(b.Lines)-1, "line") + " of BGP configuration"
		}
		rows = append(rows, "  "+b.Name+"\t"+text)
	}
	var b strings.Builder
	table(&b, rows)
	if len(r.Workloads) > 0 {
		fmt.Fprintf(&b, "\nworkloads that run there:\n")
		for _, w := range r.Workloads {
			fmt.Fprintln(&b, "  "+w)
		}
	}
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

func traceWords(h provision.ResetHost) string {
	if h.Bare() {
		return "bare: nothing of drover's is there"
	}
	var words []string
	for _, t := range traces {
		if n := h.Traces[t.kind]; n > 0 {
			words = append(words, count(n, t.noun))
		}
	}
	return strings.Join(words, ", ")
}
