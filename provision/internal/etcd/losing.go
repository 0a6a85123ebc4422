package etcd

import (
	"fmt"
	"slices"
	"strings"
)

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

// Spares is nil when a member, by name, can be stopped for a moment without costing
// the quorum. Where nothing could be changed about that, because there is no quorum
// or there are too few members for it in the best case, it can be stopped, too.
func (s Status) Spares(name string) error {
	now, without := s.Quorum(), s.Losing(name)
	if without.Has() || !now.Has() || (Quorum{Voters: now.Voters, Answers: now.Voters - 1}).Spare() < 0 {
		return nil
	}
	var trouble []string
	for _, m := range s.Members {
		if !m.Learner && !m.Answers() {
			trouble = append(trouble, m.String()+" "+m.Trouble())
		}
	}
	return fmt.Errorf("without it %s: %s", without, strings.Join(trouble, "; "))
}
