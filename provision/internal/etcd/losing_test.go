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
