package placement

import "math"

// more is how many more pods of a workload find a place, counted up to enough.
func (s *state) more(i, enough int) int {
	w := s.works[i]
	switch len(w.hard) {
	case 0:
		return s.roomFor(w, enough)
	case 1:
		s.open(i)
		defer clearSlots(s, i)
		return min(enough, s.spreadOver(w, s.hard[0]))
	}
	// Which node a pod gets under two rules decides how many there are in the end.
	c := s.clone()
	before := c.jobs[i].placed
	c.schedule(i, enough)
	return c.jobs[i].placed - before
}

// roomFor is the sum of what each node has room for.
func (s *state) roomFor(w *work, enough int) (sum int) {
	for _, n := range s.order {
		if s.admitted(w, n) {
			if sum += int(s.loads[n].fits(w.Requests)); sum >= enough {
				return enough
			}
		}
	}
	return sum
}

// spreadOver is how many more pods a hard rule allows. Whatever the way they are
// placed, it ends when the domain with the fewest pods is full; that is the one that
// has the fewest when all are full, and no other may exceed it by more than the skew.
func (s *state) spreadOver(w *work, c *counter) (sum int) {
	room := make([]int64, c.values)
	for _, n := range s.order {
		if v := c.value[n]; v >= 0 && s.admitted(w, n) {
			room[v] += s.loads[n].fits(w.Requests)
		}
	}
	least := int64(math.MaxInt64)
	for v, counts := range c.counts {
		if counts {
			least = min(least, int64(c.pods[v])+room[v])
		}
	}
	if c.domain < c.minDomains {
		least = 0
	}
	for v, r := range room {
		if r > 0 {
			sum += int(max(0, min(r, least+int64(c.maxSkew)-int64(c.pods[v]))))
		}
	}
	return sum
}
