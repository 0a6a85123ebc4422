package placement

import "math"

// counter is how many pods of a workload lie in each domain of a rule.
type counter struct {
	rule
	pods []int32 // by the topology's value
	// Of a hard rule: the domains that count, and the fewest pods that one of them has.
	counts []bool
	domain int
	least  int32
	atMost int // domains with that few
	// Of a soft rule, by the step: which domains have a node that is compared.
	seen   []int32
	step   int32
	weight float64
}

func (s *state) counter(i int, r rule, hard bool) *counter {
	if r.perHost && !hard { // a node's own pods are known already
		return &counter{rule: r}
	}
	c := &counter{rule: r, pods: make([]int32, r.values)}
	j := &s.jobs[i]
	for at, n := range j.nodes {
		if v := r.value[n]; v >= 0 {
			c.pods[v] += j.pods[at]
		}
	}
	if !hard {
		c.seen = make([]int32, r.values)
		return c
	}
	// As the scheduler has it, a domain counts when one node there has the labels that
	// the pods ask for, and those of all hard rules, whether or not it takes them.
	c.counts = make([]bool, r.values)
	w := s.works[i]
	for _, n := range s.order {
		if v := r.value[n]; v >= 0 && !c.counts[v] && s.selected(w, n) && w.everyRule(n) && (!r.honorTaints || s.admitted(w, n)) {
			c.counts[v] = true
			c.domain++
		}
	}
	c.findLeast()
	return c
}

// everyRule reports whether a node has the labels of all hard rules.
func (w *work) everyRule(n int32) bool {
	for _, r := range w.hard {
		if r.value[n] < 0 {
			return false
		}
	}
	return true
}

func (c *counter) findLeast() {
	c.least, c.atMost = math.MaxInt32, 0
	for v, counts := range c.counts {
		switch {
		case !counts || c.pods[v] > c.least:
		case c.pods[v] < c.least:
			c.least, c.atMost = c.pods[v], 1
		default:
			c.atMost++
		}
	}
}

// allows reports whether a hard rule lets one more pod on a node.
func (c *counter) allows(n int32) bool {
	v := c.value[n]
	if v < 0 {
		return false
	}
	least := c.least
	if c.domain < c.minDomains {
		least = 0
	}
	return int(c.pods[v])+1-int(least) <= c.maxSkew
}

func (c *counter) add(n int32) {
	v := c.value[n]
	if v < 0 || c.pods == nil {
		return
	}
	c.pods[v]++
	if c.counts == nil || !c.counts[v] || c.pods[v] != c.least+1 {
		return
	}
	if c.atMost--; c.atMost == 0 {
		c.findLeast()
	}
}

// weigh prepares a soft rule for the nodes that are compared: the more domains they
// are in, the more a pod in one of them weighs.
func (c *counter) weigh(nodes []int32) {
	domains := len(nodes)
	if !c.perHost {
		domains = 0
		c.step++
		for _, n := range nodes {
			if v := c.value[n]; v >= 0 && c.seen[v] != c.step {
				c.seen[v] = c.step
				domains++
			}
		}
	}
	c.weight = math.Log(float64(domains + 2))
}

// crowded is what a soft rule says against a node that has so many of the pods itself.
func (c *counter) crowded(n, own int32) float64 {
	v := c.value[n]
	switch {
	case v < 0:
		return 0
	case !c.perHost:
		own = c.pods[v]
	}
	return float64(own)*c.weight + float64(c.maxSkew-1)
}
