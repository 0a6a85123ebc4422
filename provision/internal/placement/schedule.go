package placement

// compared is how many nodes with room the scheduler compares before it takes the
// best: all when they are few, else a part, going on where it left off.
func compared(nodes int) int {
	const few = 100
	if nodes < few {
		return nodes
	}
	return max(few, nodes*max(5, 50-nodes/125)/100)
}

// batch is how many pods get a node each from one comparison. Where the scheduler
// compares all nodes it is one; where it only samples them its own choice is as
// arbitrary as the order within a batch.
func batch(nodes int) int {
	if nodes < 100 {
		return 1
	}
	return compared(nodes) / 16
}

// schedule places so many pods of a workload, as far as they go.
func (s *state) schedule(i, pods int) {
	if s.works[i].DaemonSet {
		s.daemons(i)
		return
	}
	s.open(i)
	for pods > 0 && s.find(i) {
		s.score(i)
		pods -= s.take(i, min(pods, batch(len(s.order))))
	}
	s.jobs[i].missing += pods
	clearSlots(s, i)
}

// daemons puts one pod on each node that a DaemonSet runs on, unless it is there.
func (s *state) daemons(i int) {
	s.open(i)
	w := s.works[i]
	for _, n := range s.order {
		switch {
		case !s.admitted(w, n) || s.on(i, n) > 0:
		case s.loads[n].holds(w.Requests):
			s.put(i, n, 1)
		default:
			s.jobs[i].missing++
		}
	}
	clearSlots(s, i)
}

// find looks for nodes that take a pod, as many as are compared.
func (s *state) find(i int) bool {
	w, enough := s.works[i], compared(len(s.order))
	s.found = s.found[:0]
	looked := 0
	for ; looked < len(s.order) && len(s.found) < enough; looked++ {
		n := s.order[(s.start+looked)%len(s.order)]
		if s.loads[n].holds(w.Requests) && s.admitted(w, n) && s.allowed(n) {
			s.found = append(s.found, n)
		}
	}
	if len(s.order) > 0 {
		s.start = (s.start + looked) % len(s.order)
	}
	return len(s.found) > 0
}

func (s *state) allowed(n int32) bool {
	for _, c := range s.hard {
		if !c.allows(n) {
			return false
		}
	}
	return true
}

// take gives the best nodes a pod each, and says how many that were; of equals any,
// as the scheduler does.
func (s *state) take(i, pods int) (taken int) {
	most, least := int32(0), int32(scoreMax)
	for _, score := range s.scores {
		s.tally[score]++
		most, least = max(most, score), min(least, score)
	}
	bar, above := most, 0
	for ; bar > least && above+int(s.tally[bar]) < pods; bar-- {
		above += int(s.tally[bar])
	}
	for score := least; score <= most; score++ {
		s.tally[score] = 0
	}
	first := int(s.roll() % uint64(len(s.found)))
	for _, equal := range []bool{false, true} { // those above the bar, then those at it
		for k := range s.found {
			at := (first + k) % len(s.found)
			if taken == pods {
				return taken
			}
			if n := s.found[at]; equal == (s.scores[at] == bar) && s.scores[at] >= bar && s.allowed(n) {
				s.place(i, n)
				taken++
			}
		}
	}
	return taken
}

func (s *state) place(i int, n int32) {
	s.put(i, n, 1)
	for _, c := range s.hard {
		c.add(n)
	}
	for _, c := range s.soft {
		c.add(n)
	}
}

// roll is the next of numbers that are always the same.
func (s *state) roll() uint64 {
	s.dice ^= s.dice << 13
	s.dice ^= s.dice >> 7
	s.dice ^= s.dice << 17
	return s.dice
}
