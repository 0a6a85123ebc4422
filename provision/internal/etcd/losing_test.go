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
