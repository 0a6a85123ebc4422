package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// QuorumError is a change of membership that was refused, because the members
// that answer would not be a quorum after it.
type QuorumError struct {
	Change string // "removing kube-master-1"
	After  Quorum
}

func (e *QuorumError) Error() string {
	return fmt.Sprintf("%s would cost the quorum: afterwards %s", e.Change, e.After)
}

// ErrNotInSync is a learner that has not caught up with its leader yet; promoting
// it can be tried again.
var ErrNotInSync = errors.New("the learner has not caught up with its leader")

// ErrUnsettled is etcd's own refusal to change its members while some of them have
// not been connected to each other for five seconds; it can be tried again.
var ErrUnsettled = errors.New("the members have not been together for long enough")

// AddLearner adds a member that has no vote yet. One with the peer URL, of a run
// that did not come to its end, is returned as it is.
func (c *Client) AddLearner(ctx context.Context, peerURL string) (Member, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return Member{}, err
	}
	var added Member
	err = c.change(ctx, s, func(ctx context.Context, voters *conn) error {
		members, err := c.members(ctx, voters)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(members, func(m Member) bool { return slices.Contains(m.PeerURLs, peerURL) }); i >= 0 {
			added = members[i]
			return nil
		}
		answer, err := voters.MemberAddAsLearner(ctx, []string{peerURL})
		if err == nil {
			added = Member{ID: answer.Member.ID, PeerURLs: answer.Member.PeerURLs, Learner: true}
		}
		return err
	})
	if err != nil {
		return Member{}, fmt.Errorf("etcd: add %s as a learner: %w", peerURL, err)
	}
	return added, nil
}

// Promote gives a learner its vote, if those that answer are a quorum with it. A
// member that has one already is no error; one that is not ready for it is
// ErrNotInSync.
func (c *Client) Promote(ctx context.Context, id uint64) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := s.Promoting(id); err != nil {
		return err
	}
	err = c.change(ctx, s, func(ctx context.Context, voters *conn) error {
		_, err := voters.MemberPromote(ctx, id)
		switch {
		case errors.Is(err, rpctypes.ErrMemberNotLearner):
			return nil
		case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
			return ErrNotInSync
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("etcd: promote %016x: %w", id, err)
	}
	return nil
}

// Remove takes a member away, if those that are left and answer are a quorum of
// their own. A member that is gone already is no error.
func (c *Client) Remove(ctx context.Context, id uint64) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := s.Removing(id); err != nil {
		return err
	}
	err = c.change(ctx, s, func(ctx context.Context, voters *conn) error {
		_, err := voters.MemberRemove(ctx, id)
		if errors.Is(err, rpctypes.ErrMemberNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("etcd: remove %016x: %w", id, err)
	}
	return nil
}

// MoveLeader has another member lead, if this one does: one that answers, has a vote and
// is none of those that are not to. Of those, it is who is furthest.
func (c *Client) MoveLeader(ctx context.Context, from uint64, not ...uint64) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.Members, func(m MemberStatus) bool { return m.ID == from && m.Answers() && m.Leader })
	if i < 0 {
		return nil
	}
	to, err := s.heir(from, not)
	if err != nil {
		return fmt.Errorf("etcd: %s leads: %w", s.Members[i], err)
	}
	leader, err := c.open(s.Members[i].ClientURLs[0])
	if err != nil {
		return err
	}
	defer leader.Close()
	err = c.permitted(ctx, func(ctx context.Context) error {
		_, err := leader.MoveLeader(ctx, to.ID)
		return leader.why(err)
	})
	if err != nil {
		return fmt.Errorf("etcd: have %s lead instead of %s: %w", to, s.Members[i], err)
	}
	return nil
}

// heir is who is to lead instead of a member.
func (s Status) heir(from uint64, not []uint64) (MemberStatus, error) {
	var best MemberStatus
	for _, m := range s.Members {
		if m.ID == from || slices.Contains(not, m.ID) || m.Learner || !m.Answers() {
			continue
		}
		if best.ID == 0 || m.RaftIndex > best.RaftIndex {
			best = m
		}
	}
	if best.ID == 0 {
		return best, errors.New("nobody else that answers has a vote")
	}
	return best, nil
}

// change asks the voters that answer, whatever endpoints were given: a learner
// refuses to take part.
func (c *Client) change(ctx context.Context, s Status, do func(context.Context, *conn) error) error {
	voters := s.voters()
	if q := s.Quorum(); !q.Has() {
		return &UnhealthyError{Quorum: q}
	}
	client, err := c.open(voters...)
	if err != nil {
		return err
	}
	defer client.Close()
	err = c.permitted(ctx, func(ctx context.Context) error { return do(ctx, client) })
	if errors.Is(err, rpctypes.ErrUnhealthy) || errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) {
		return fmt.Errorf("%w (%v)", ErrUnsettled, err)
	}
	return client.why(err)
}

// permitted does a change within the time that it may take, if it may be.
func (c *Client) permitted(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if c.config.Permit != nil {
		permitted, done, err := c.config.Permit(ctx)
		if err != nil {
			return err
		}
		defer done()
		ctx = permitted
	}
	return do(ctx)
}
