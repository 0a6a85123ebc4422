package placement

import "testing"

// Without a failure domain not more is placed than with all. (How long that takes of the
// largest cluster there may be, the benchmarks say.)
func TestNoMoreWithoutADomain(t *testing.T) {
	nodes, workloads := large()
	p := Place(nodes[:400], workloads[:50])
	all := p.claim(p.runs, Whole)
	for _, l := range p.EachDomain() {
		if l.Result.Placed > all {
			t.Errorf("without %v more is placed: %d, not %d", l.Domains, l.Result.Placed, all)
		}
	}
}
