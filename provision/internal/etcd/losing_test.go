package etcd

import (
	"errors"
	"testing"
)

func TestLosing(t *testing.T) {
	well := func(name string) MemberStatus { return MemberStatus{Member: Member{Name: name}, LeaderID: 1} }
	dead := MemberStatus{Member: Member{Name: "c"}, Err: errors.New("refused")}
	learner := well("d")
	learner.Learner = true
	for name, c := range map[string]struct {
		members []MemberStatus
		lose    []string
		want    string
		has     bool
	}{
		"one of three":             {[]MemberStatus{well("a"), well("b"), well("c")}, []string{"a"}, "2 of 3 members answer; quorum is 2", true},
		"two of three":             {[]MemberStatus{well("a"), well("b"), well("c")}, []string{"a", "b"}, "1 of 3 members answers; quorum is 2", false},
		"one, and one is dead":     {[]MemberStatus{well("a"), well("b"), dead}, []string{"a"}, "1 of 3 members answers; quorum is 2", false},
		"the dead one":             {[]MemberStatus{well("a"), well("b"), dead}, []string{"c"}, "2 of 3 members answer; quorum is 2", true},
		"the only one":             {[]MemberStatus{well("a")}, []string{"a"}, "0 of 1 member answer; quorum is 1", false},
		"a learner has no vote":    {[]MemberStatus{well("a"), learner}, []string{"d"}, "1 of 1 member answers; quorum is 1", true},
		"one that is not a member": {[]MemberStatus{well("a")}, []string{"node"}, "1 of 1 member answers; quorum is 1", true},
	} {
		if q := (Status{Members: c.members}).Losing(c.lose...); q.String() != c.want || q.Has() != c.has {
			t.Errorf("%s: %s, has it %v; want %s, %v", name, q, q.Has(), c.want, c.has)
		}
	}
}

func TestSpares(t *testing.T) {
	well := func(name string) MemberStatus { return MemberStatus{Member: Member{Name: name}, LeaderID: 1} }
	dead := func(name string) MemberStatus {
		return MemberStatus{Member: Member{Name: name}, Err: errors.New("refused")}
	}
	for name, c := range map[string]struct {
		members []MemberStatus
		want    string
	}{
		"one of three":             {[]MemberStatus{well("a"), well("b"), well("c")}, ""},
		"one, and one is dead":     {[]MemberStatus{well("a"), well("b"), dead("c")}, "without it 1 of 3 members answers; quorum is 2: c does not answer: refused"},
		"one, and one has no lead": {[]MemberStatus{well("a"), well("b"), {Member: Member{Name: "c"}}}, "without it 1 of 3 members answers; quorum is 2: c has no leader"},
		"the dead one":             {[]MemberStatus{dead("a"), well("b"), well("c")}, ""},
		"of five, one is dead":     {[]MemberStatus{well("a"), well("b"), well("c"), well("d"), dead("e")}, ""},
		"of five, two are dead":    {[]MemberStatus{well("a"), well("b"), well("c"), dead("d"), dead("e")}, "without it 2 of 5 members answer; quorum is 3: d does not answer: refused; e does not answer: refused"},
		"without a quorum":         {[]MemberStatus{well("a"), dead("b"), dead("c")}, "etcd has no quorum: 1 of 3 members answers; quorum is 2: b does not answer: refused; c does not answer: refused"},
		"the only one":             {[]MemberStatus{well("a")}, ""},
		"one of two":               {[]MemberStatus{well("a"), well("b")}, ""},
	} {
		err := (Status{Members: c.members}).Spares("a")
		if err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if none := !(Status{Members: c.members}).Quorum().Has(); none != errors.Is(err, ErrNoQuorum) {
			t.Errorf("%s: without any quorum %v, but %v", name, none, err)
		}
	}
}

func TestPromotingAndRemovingInNumbers(t *testing.T) {
	member := func(id uint64, learner, answers bool) MemberStatus {
		m := MemberStatus{Member: Member{ID: id, Name: string(rune('a' + id - 1)), Learner: learner}, LeaderID: 1}
		if !answers {
			m.LeaderID, m.Err = 0, errors.New("refused")
		}
		return m
	}
	voter := func(id uint64) MemberStatus { return member(id, false, true) }
	dead := func(id uint64) MemberStatus { return member(id, false, false) }
	for name, c := range map[string]struct {
		members           []MemberStatus
		promote, removing string // of the last
	}{
		"a learner beside one":             {[]MemberStatus{voter(1), member(2, true, true)}, "", ""},
		"a silent learner beside one":      {[]MemberStatus{voter(1), member(2, true, false)}, "a vote for b would cost the quorum: afterwards 1 of 2 members answers; quorum is 2", ""},
		"a learner beside two":             {[]MemberStatus{voter(1), voter(2), member(3, true, true)}, "", ""},
		"a silent learner beside two":      {[]MemberStatus{voter(1), voter(2), member(3, true, false)}, "", ""},
		"a silent learner, and one dead":   {[]MemberStatus{voter(1), voter(2), dead(3), member(4, true, false)}, "a vote for d would cost the quorum: afterwards 2 of 4 members answer; quorum is 3", ""},
		"a learner, and one dead":          {[]MemberStatus{voter(1), voter(2), dead(3), member(4, true, true)}, "", ""},
		"a voter has its vote":             {[]MemberStatus{voter(1), dead(2)}, "", ""},
		"the dead one of three":            {[]MemberStatus{voter(1), voter(2), dead(3)}, "", ""},
		"a live one of three, one is dead": {[]MemberStatus{voter(1), dead(2), voter(3)}, "", "removing c would cost the quorum: afterwards 1 of 2 members answers; quorum is 2"},
		"the last":                         {[]MemberStatus{voter(1)}, "", "removing a would cost the quorum: afterwards 0 of 0 members answer; quorum is 1"},
	} {
		s, id := Status{Members: c.members}, c.members[len(c.members)-1].ID
		for what, one := range map[string]struct {
			err  error
			want string
		}{"promoting": {s.Promoting(id), c.promote}, "removing": {s.Removing(id), c.removing}} {
			if one.err == nil && one.want != "" || one.err != nil && one.err.Error() != one.want {
				t.Errorf("%s, %s: %v, want %q", name, what, one.err, one.want)
			}
		}
		if s.Removing(99) != nil || s.Promoting(99) != nil {
			t.Error("one that is not listed costs something")
		}
	}
}
