package placement

import "math"

// The scheduler's weights: of the taints better avoided, of how evenly a workload
// lies, and, at one each, of how little a node has been asked for, and how evenly of
// CPU and memory. Each is 0 to 100.
const (
	full         = 100
	weightTaints = 3
	weightSpread = 2
	scoreMax     = full * (weightTaints + weightSpread + 1 + 1)
)

// score compares the nodes in s.found for one more pod; s.scores are beside them.
func (s *state) score(i int) {
	w := s.works[i]
	s.scores = s.scores[:0]
	for _, n := range s.found {
		l := &s.loads[n]
		s.scores = append(s.scores, int32(leastAllocated(l, w.scored)+balanced(l, w.Requests)))
	}
	s.scoreSpread(i)
	s.scoreTaints(w)
}

// leastAllocated is NodeResourcesFit's LeastAllocated: the share that would be free.
func leastAllocated(l *load, r Resources) int64 {
	left := func(requested, all int64) int64 {
		if requested > all {
			return 0
		}
		return (all - requested) * full / all
	}
	var sum, kinds int64
	if l.maxCPU > 0 {
		sum, kinds = sum+left(l.scoredCPU+r.CPU, l.maxCPU), kinds+1
	}
	if l.maxMemory > 0 {
		sum, kinds = sum+left(l.scoredMemory+r.Memory, l.maxMemory), kinds+1
	}
	if kinds == 0 {
		return 0
	}
	return sum / kinds
}

// balanced is NodeResourcesBalancedAllocation: whether the pod brings the shares of
// CPU and memory together.
func balanced(l *load, r Resources) int64 {
	if r.CPU == 0 && r.Memory == 0 || l.maxCPU == 0 || l.maxMemory == 0 {
		return 0
	}
	even := func(cpu, memory int64) int64 {
		c, m := float64(cpu)/float64(l.maxCPU), float64(memory)/float64(l.maxMemory)
		return int64((1 - math.Abs(min(c, 1)-min(m, 1))/2) * full)
	}
	return full/2 + (full/2+even(l.cpu+r.CPU, l.memory+r.Memory)-even(l.cpu, l.memory))/2
}

// scoreSpread is PodTopologySpread: few pods of the same workload nearby.
func (s *state) scoreSpread(i int) {
	if len(s.soft) == 0 {
		return
	}
	w := s.works[i]
	// A node without the label of a rule of the workload's own is not compared at all.
	outside := func(n int32) bool {
		if w.ownRules {
			for _, c := range s.soft {
				if c.value[n] < 0 {
					return true
				}
			}
		}
		return false
	}
	for _, c := range s.soft {
		c.weigh(s.found)
	}
	const ignored = -1
	s.spreads = s.spreads[:0]
	least, most := int64(math.MaxInt64), int64(0)
	for _, n := range s.found {
		if outside(n) {
			s.spreads = append(s.spreads, ignored)
			continue
		}
		var sum float64
		own := s.on(i, n)
		for _, c := range s.soft {
			sum += c.crowded(n, own)
		}
		rounded := int64(math.Round(sum))
		least, most = min(least, rounded), max(most, rounded)
		s.spreads = append(s.spreads, rounded)
	}
	for at, crowd := range s.spreads {
		switch {
		case crowd == ignored:
		case most == 0:
			s.scores[at] += weightSpread * full
		default:
			s.scores[at] += int32(weightSpread * (full * (most + least - crowd) / most))
		}
	}
}

// scoreTaints is TaintToleration: few taints that say PreferNoSchedule.
func (s *state) scoreTaints(w *work) {
	if !w.avoiding {
		return
	}
	var most int32
	for _, n := range s.found {
		most = max(most, w.avoids[s.kind[n]])
	}
	for at, n := range s.found {
		share := int32(full)
		if most > 0 {
			share -= full * w.avoids[s.kind[n]] / most
		}
		s.scores[at] += weightTaints * share
	}
}
