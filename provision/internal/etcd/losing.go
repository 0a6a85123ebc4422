package etcd

import "slices"

// Losing is the quorum as it would be if these members, by name, were lost: they
// still count, and answer no more.
func (s Status) Losing(names ...string) Quorum {
	q := s.Quorum()
	for _, m := range s.Members {
		if slices.Contains(names, m.Name) && !m.Learner && m.Answers() {
			q.Answers--
		}
	}
	return q
}
