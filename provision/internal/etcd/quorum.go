package etcd

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Quorum is the arithmetic of a cluster: learners have no part in it.
type Quorum struct {
	Voters  int
	Answers int // voters that answer and have a leader
}

// Need is how many voters must answer.
func (q Quorum) Need() int { return q.Voters/2 + 1 }

// Has reports whether enough do.
func (q Quorum) Has() bool { return q.Voters > 0 && q.Answers >= q.Need() }

// Spare is how many more voters may be lost; below 0 the quorum is lost already.
func (q Quorum) Spare() int { return q.Answers - q.Need() }

// String is the arithmetic in words.
func (q Quorum) String() string {
	members := "members"
	if q.Voters == 1 {
		members = "member"
	}
	verb := "answer"
	if q.Answers == 1 {
		verb = "answers"
	}
	return fmt.Sprintf("%d of %d %s %s; quorum is %d", q.Answers, q.Voters, members, verb, q.Need())
}

// without is the quorum once a voter is no member any more.
func (q Quorum) without(m MemberStatus) Quorum {
	if m.Learner {
		return q
	}
	q.Voters--
	if m.Answers() {
		q.Answers--
	}
	return q
}

// Removing is nil when those that are left and answer would be a quorum of their own
// without a member. One that is not listed takes nothing along.
func (s Status) Removing(id uint64) error {
	for _, m := range s.Members {
		if m.ID != id {
			continue
		}
		if after := s.Quorum().without(m); !after.Has() {
			return &QuorumError{Change: "removing " + m.String(), After: after}
		}
	}
	return nil
}

// RemovingEach is nil when members can be removed one after the other, in this order,
// and those that are left and answer are a quorum each time.
func (s Status) RemovingEach(ids ...uint64) error {
	for _, id := range ids {
		if err := s.Removing(id); err != nil {
			return err
		}
		s.Members = slices.DeleteFunc(slices.Clone(s.Members), func(m MemberStatus) bool { return m.ID == id })
	}
	return nil
}

// Promoting is nil when the members that answer would be a quorum with a learner
// among those that count.
func (s Status) Promoting(id uint64) error {
	for _, m := range s.Members {
		if m.ID != id || !m.Learner {
			continue
		}
		after := s.Quorum()
		after.Voters++
		if m.Answers() {
			after.Answers++
		}
		if !after.Has() {
			return &QuorumError{Change: "a vote for " + m.String(), After: after}
		}
	}
	return nil
}

// Quorum counts the members that were asked.
func (s Status) Quorum() Quorum {
	var q Quorum
	for _, m := range s.Members {
		if m.Learner {
			continue
		}
		q.Voters++
		if m.Answers() {
			q.Answers++
		}
	}
	return q
}

// UnhealthyError is a cluster that was looked at and is not as it should be; it
// may have its quorum still.
type UnhealthyError struct {
	Quorum  Quorum
	Trouble []string // one per member concerned
}

func (e *UnhealthyError) Error() string {
	if len(e.Trouble) == 0 {
		return e.Quorum.String()
	}
	return e.Quorum.String() + ": " + strings.Join(e.Trouble, "; ")
}

// Err is nil when every member is well, all follow one leader of one cluster, and
// the quorum answers a read.
func (s Status) Err() error {
	var trouble []string
	leaders, clusters := map[uint64]bool{}, map[uint64]bool{}
	for _, m := range s.Members {
		if why := m.Trouble(); why != "" {
			trouble = append(trouble, m.String()+" "+why)
		}
		if m.Answers() {
			leaders[m.LeaderID], clusters[m.ClusterID] = true, true
		}
	}
	if len(leaders) > 1 {
		trouble = append(trouble, "members follow different leaders")
	}
	if len(clusters) > 1 {
		trouble = append(trouble, "members are of different clusters")
	}
	if s.ReadErr != nil {
		trouble = append(trouble, s.ReadErr.Error())
	}
	q := s.Quorum()
	if len(trouble) == 0 && q.Has() {
		return nil
	}
	return &UnhealthyError{Quorum: q, Trouble: trouble}
}

// Healthy is nil when all is well; an *UnhealthyError says what is not, and any
// other error that it could not be looked at.
func (c *Client) Healthy(ctx context.Context) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	return s.Err()
}
