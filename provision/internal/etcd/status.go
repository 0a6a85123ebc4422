package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// MemberStatus is how one member is.
type MemberStatus struct {
	Member
	// Err is why it could not be asked; what follows is then empty.
	Err error

	ClusterID   uint64
	Version     string
	Leader      bool   // it leads
	LeaderID    uint64 // whom it follows; 0 when it knows no leader
	RaftTerm    uint64
	RaftIndex   uint64
	RaftApplied uint64
	DBSize      int64 // bytes on disk
	DBInUse     int64 // of them in use; the rest a defragmentation would free
	DBQuota     int64
	Alarms      []string // "NOSPACE", "CORRUPT"
	Took        time.Duration
}

// Answers reports whether the member takes part: it answers and has a leader.
func (m MemberStatus) Answers() bool { return m.Err == nil && m.LeaderID != 0 }

// Trouble says in words what is wrong with the member; empty when nothing is.
func (m MemberStatus) Trouble() string {
	switch {
	case m.Err != nil:
		return "does not answer: " + m.Err.Error()
	case m.LeaderID == 0:
		return "has no leader"
	case len(m.Alarms) > 0:
		return "raises " + strings.Join(m.Alarms, " and ")
	}
	return ""
}

// Status is how the cluster is.
type Status struct {
	Members []MemberStatus // by name
	// ReadErr is why a read that needs the quorum failed; nil when it did not.
	ReadErr error
}

// Status asks every member at once how it is. An error means that not even the
// list of members could be had.
func (c *Client) Status(ctx context.Context) (Status, error) {
	members, err := c.Members(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Members: make([]MemberStatus, len(members))}
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { s.Members[i] = c.ask(ctx, m) })
	}
	wg.Wait()
	s.ReadErr = c.readThroughQuorum(ctx, s)
	return s, nil
}

// readThroughQuorum reads a key that need not exist: only a leader that a
// majority follows can answer. Learners are not asked: they refuse such reads.
func (c *Client) readThroughQuorum(ctx context.Context, s Status) error {
	voters := s.voters()
	if len(voters) == 0 {
		return errors.New("etcd: no member answers")
	}
	client, err := c.open(voters...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if _, err := client.Get(ctx, "health"); err != nil {
		return fmt.Errorf("etcd: read through the quorum: %w", client.why(err))
	}
	return nil
}

// voters are the URLs of the voters that answer.
func (s Status) voters() []string {
	var out []string
	for _, m := range s.Members {
		if m.Answers() && !m.Learner {
			out = append(out, m.ClientURLs[0])
		}
	}
	return out
}

// ask asks one member, and nobody in its place.
func (c *Client) ask(ctx context.Context, m Member) MemberStatus {
	out := MemberStatus{Member: m}
	if len(m.ClientURLs) == 0 {
		out.Err = errors.New("it has not started")
		return out
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	one, err := c.open(m.ClientURLs[0])
	if err != nil {
		out.Err = err
		return out
	}
	defer one.Close()
	st, err := one.Status(ctx, m.ClientURLs[0])
	if err != nil {
		out.Err = one.why(err)
		return out
	}
	if st.Header.MemberId != m.ID {
		out.Err = fmt.Errorf("%s is answered by the member %016x, not %016x", m.ClientURLs[0], st.Header.MemberId, m.ID)
		return out
	}
	out.ClusterID = st.Header.ClusterId
	out.Version, out.LeaderID, out.Leader = st.Version, st.Leader, st.Leader == m.ID
	out.RaftTerm, out.RaftIndex, out.RaftApplied = st.RaftTerm, st.RaftIndex, st.RaftAppliedIndex
	out.DBSize, out.DBInUse, out.DBQuota = st.DbSize, st.DbSizeInUse, st.DbSizeQuota
	out.Alarms = alarms(m.ID, st.Errors)
	out.Took = time.Since(start)
	return out
}

// alarms picks a member's alarms out of what a status names as errors, "memberID:1
// alarm:NOSPACE ". The list of alarms proper can be had of a quorum only.
func alarms(id uint64, errs []string) []string {
	var out []string
	for _, e := range errs {
		var of uint64
		var what string
		if n, _ := fmt.Sscanf(e, "memberID:%d alarm:%s", &of, &what); n == 2 && of == id {
			out = append(out, what)
		}
	}
	return out
}
