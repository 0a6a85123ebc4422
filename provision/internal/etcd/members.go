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
	err = do(ctx, client)
	if errors.Is(err, rpctypes.ErrUnhealthy) || errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) {
		return fmt.Errorf("%w (%v)", ErrUnsettled, err)
	}
	return client.why(err)
}
