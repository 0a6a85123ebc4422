package etcd

import (
	"errors"
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

// ErrNoQuorum says that there is no quorum as it was seen: nothing is lost with one
// more member, if that lasts. One look may fall into an election.
var ErrNoQuorum = errors.New("etcd has no quorum")

// Spares is nil when a member, by name, can be stopped for a moment without costing
// the quorum, and where there are too few members for that in the best case. Else it
// says who is missing; without any quorum the error wraps ErrNoQuorum.
func (s Status) Spares(name string) error {
	now, without := s.Quorum(), s.Losing(name)
	if without.Has() || (Quorum{Voters: now.Voters, Answers: now.Voters - 1}).Spare() < 0 {
		return nil
	}
	var trouble []string
	for _, m := range s.Members {
		if !m.Learner && !m.Answers() {
			trouble = append(trouble, m.String()+" "+m.Trouble())
		}
	}
	if !now.Has() {
		return fmt.Errorf("%w: %s: %s", ErrNoQuorum, now, strings.Join(trouble, "; "))
	}
	return fmt.Errorf("without it %s: %s", without, strings.Join(trouble, "; "))
}
