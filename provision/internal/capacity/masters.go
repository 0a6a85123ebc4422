package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
)

// masterCount: etcd lives while more than half of its members do.
func masterCount(c *inventory.Cluster) []Check {
	n := len(c.KubeMasters)
	status, fix := Pass, ""
	switch {
	case n == 1:
		status, fix = Warn, "use 3 masters where the cluster must survive the loss of one"
	case n == 2:
		status, fix = Fail, "use 1 or 3 masters: with 2, the loss of either stops the cluster"
	case n > 7:
		status, fix = Warn, "use at most 7 masters: each write waits for more than half of them"
	case n%2 == 0:
		status, fix = Warn, fmt.Sprintf("use %d or %d masters: an even number survives no more than one less", n-1, n+1)
	}
	return []Check{Check{
		ID: "master-count", At: c.Where.At("masters").Ptr(),
		Measured:  fmt.Sprintf("%s, %d may fail", count(n, "master"), (n-1)/2),
		Threshold: "3, 5 or 7",
	}.judged(status, fix)}
}

// quorumDomain: the masters of the failure domains that may be lost must be too
// few to take the quorum with them.
func quorumDomain(c *inventory.Cluster, down []string) []Check {
	n := len(c.KubeMasters)
	if n < 3 && len(down) == 0 { // no loss at all is survived; masterCount tells
		return nil
	}
	domains := map[string]int{}
	without := 0
	for _, h := range c.KubeMasters {
		if h.FailureDomain == "" && !slices.Contains(down, domainOf(h)) {
			without++
			continue
		}
		domains[domainOf(h)]++
	}
	lose := c.Capacity.Tolerate
	for _, d := range down {
		lose += min(1, domains[d])
	}
	if lose = max(lose, 1-len(down)); n < 3 && lose == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(domains), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(down, a), rank(down, b)), cmp.Compare(domains[b], domains[a]), cmp.Compare(a, b))
	})
	worst, lost := names[:min(lose, len(names))], 0
	for _, name := range worst {
		lost += domains[name]
	}
	limit := (n - 1) / 2
	check := Check{
		ID: "quorum-domain", At: c.Where.At("masters").Ptr(), weight: float64(lost - limit),
		Measured:  fmt.Sprintf("%d of %d masters in %s", lost, n, list(worst, "failure domain")),
		Threshold: fmt.Sprintf("%d", limit),
		Formula:   fmt.Sprintf("masters in the largest %s ≤ ⌊(masters − 1) / 2⌋", count(lose, "failure domain")),
	}
	for _, h := range c.KubeMasters {
		if len(worst) > 0 && h.FailureDomain == worst[0] {
			check.At = h.Where.At("failure_domain").Ptr()
		}
	}
	if lost > limit {
		status := Fail
		if c.Capacity.Tolerate == 0 && len(down) == 0 { // the operator says that none may be lost
			status = Warn
		}
		return []Check{check.judged(status, "spread the masters over more failure domains")}
	}
	if without > 0 {
		check.Measured += fmt.Sprintf(", %d without one", without)
		return []Check{check.judged(Warn, "give every master its failure_domain: the hypervisor, rack or zone that fails as a whole")}
	}
	return []Check{check.judged(Pass, "")}
}

// rank puts those first that are lost in any case.
func rank(down []string, domain string) int {
	if slices.Contains(down, domain) {
		return 0
	}
	return 1
}

// failureDomains: what may be lost cannot be counted of nodes that do not say
// where they are.
func failureDomains(c *inventory.Cluster) []Check {
	if c.Capacity.Tolerate == 0 || len(c.KubeNodes) == 0 {
		return nil
	}
	check := Check{
		ID: "failure-domains", At: c.Capacity.Where.At("tolerate").Ptr(),
		Threshold: "0 without one",
	}
	without := 0
	for _, h := range c.KubeNodes {
		if h.FailureDomain != "" {
			continue
		}
		if without == 0 {
			check.At = h.Where.Block.Ptr()
		}
		without++
	}
	check.Measured = fmt.Sprintf("%d of %s without a failure domain", without, count(len(c.KubeNodes), "node"))
	return []Check{check.judged(grade(int64(without), 0, int64(len(c.KubeNodes))),
		"give every kube_node its failure_domain, or write tolerate = 0 in the capacity block")}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list names things, or says that there is none.
func list(names []string, noun string) string {
	switch len(names) {
	case 0:
		return "no known " + noun
	case 1:
		return noun + " " + names[0]
	}
	return noun + "s " + strings.Join(names, ", ")
}
