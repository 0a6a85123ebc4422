package etcd

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whoever is removed one after the other, those that are left and answer are more than
// half of those that are left, each time; and a removal is refused only where they are not.
func TestRemovingEachKeepsTheQuorum(t *testing.T) {
	r := rand.New(rand.NewPCG(20261129, 0))
	refused, removed := 0, 0
	for range 20000 {
		var s Status
		var ids []uint64
		for id := range uint64(1 + r.IntN(7)) {
			m := MemberStatus{Member: Member{ID: id + 1, Learner: r.IntN(6) == 0}, LeaderID: 1}
			if r.IntN(3) == 0 {
				m.LeaderID, m.Err = 0, errors.New("refused")
			}
			s.Members = append(s.Members, m)
			if r.IntN(2) == 0 {
				ids = append(ids, id+1)
			}
		}
		r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		// Counted anew each time, in the plainest way.
		want, gone := true, map[uint64]bool{}
		for _, id := range ids {
			gone[id] = true
			voters, answer := 0, 0
			for _, m := range s.Members {
				if !gone[m.ID] && !m.Learner {
					voters++
					if m.Err == nil {
						answer++
					}
				}
			}
			want = want && 2*answer > voters
		}
		err := s.RemovingEach(ids...)
		if (err == nil) != want {
			t.Fatalf("%+v without %v: %v", s.Members, ids, err)
		}
		if q := (*QuorumError)(nil); err != nil && !errors.As(err, &q) {
			t.Fatal(err)
		}
		if refused++; err == nil {
			refused--
			removed++
		}
	}
	if refused < 1000 || removed < 1000 {
		t.Errorf("%d refused and %d not: one of them is hardly tried", refused, removed)
	}
}

func TestRemovingEachInWords(t *testing.T) {
	member := func(id uint64, name string, answers bool) MemberStatus {
		m := MemberStatus{Member: Member{ID: id, Name: name}, LeaderID: 1}
		if !answers {
			m.LeaderID, m.Err = 0, errors.New("refused")
		}
		return m
	}
	s := Status{Members: []MemberStatus{member(1, "a", true), member(2, "b", true), member(3, "c", false)}}
	for want, ids := range map[string][]uint64{
		"": {3, 2}, // the dead one first
		"removing b would cost the quorum: afterwards 1 of 2 members answers; quorum is 2": {2, 3},
		"removing a would cost the quorum: afterwards 0 of 0 members answer; quorum is 1":  {3, 2, 1},
	} {
		if err := s.RemovingEach(ids...); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%v: %v, want %q", ids, err, want)
		}
	}
	if len(s.Members) != 3 {
		t.Error("what was asked about was changed")
	}
}

// Who takes over answers, has a vote and stays, and of those is the furthest.
func TestHeir(t *testing.T) {
	member := func(id, index uint64, change func(*MemberStatus)) MemberStatus {
		m := MemberStatus{Member: Member{ID: id}, LeaderID: 1, RaftIndex: index}
		if change != nil {
			change(&m)
		}
		return m
	}
	s := Status{Members: []MemberStatus{
		member(1, 99, nil), member(2, 5, nil), member(3, 7, nil),
		member(4, 98, func(m *MemberStatus) { m.Learner = true }), member(5, 97, func(m *MemberStatus) { m.Err = errors.New("refused") }),
	}}
	for _, c := range []struct {
		not  []uint64
		want uint64
	}{{nil, 3}, {[]uint64{3}, 2}, {[]uint64{2, 3}, 0}} {
		got, err := s.heir(1, c.not)
		if got.ID != c.want || (err == nil) != (c.want != 0) || err != nil && !strings.Contains(err.Error(), "has a vote") {
			t.Errorf("not %v: %d, %v", c.not, got.ID, err)
		}
	}
}
