package etcd

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
)

func TestQuorumInWords(t *testing.T) {
	for _, test := range []struct {
		voters, answers, need, spare int
		has                          bool
		words                        string
	}{
		{1, 1, 1, 0, true, "1 of 1 member answers; quorum is 1"},
		{1, 0, 1, -1, false, "0 of 1 member answer; quorum is 1"},
		{2, 1, 2, -1, false, "1 of 2 members answers; quorum is 2"},
		{3, 2, 2, 0, true, "2 of 3 members answer; quorum is 2"},
		{3, 3, 2, 1, true, "3 of 3 members answer; quorum is 2"},
		{4, 2, 3, -1, false, "2 of 4 members answer; quorum is 3"},
		{5, 3, 3, 0, true, "3 of 5 members answer; quorum is 3"},
		{0, 0, 1, -1, false, "0 of 0 members answer; quorum is 1"},
	} {
		q := Quorum{Voters: test.voters, Answers: test.answers}
		if q.Need() != test.need || q.Spare() != test.spare || q.Has() != test.has || q.String() != test.words {
			t.Errorf("%+v: need %d, spare %d, has %v, %q", q, q.Need(), q.Spare(), q.Has(), q)
		}
	}
}

func well(name string) MemberStatus {
	return MemberStatus{Member: Member{Name: name}, LeaderID: 1, ClusterID: 9}
}

func dead(name string) MemberStatus {
	return MemberStatus{Member: Member{Name: name}, Err: errors.New("connection refused")}
}

func TestRemovalKeepsTheQuorum(t *testing.T) {
	learner := well("l")
	learner.Learner = true
	for _, test := range []struct {
		name    string
		members []MemberStatus
		remove  MemberStatus
		keeps   bool
	}{
		{"a dead one of three", []MemberStatus{well("a"), well("b"), dead("c")}, dead("c"), true},
		{"a live one of three", []MemberStatus{well("a"), well("b"), well("c")}, well("c"), true},
		{"a live one of three with one dead", []MemberStatus{well("a"), well("b"), dead("c")}, well("b"), false},
		{"the last", []MemberStatus{well("a")}, well("a"), false},
		{"a learner beside the last", []MemberStatus{well("a"), learner}, learner, true},
		{"a live one of two", []MemberStatus{well("a"), well("b")}, well("b"), true},
	} {
		q := Status{Members: test.members}.Quorum().without(test.remove)
		if q.Has() != test.keeps {
			t.Errorf("%s: afterwards %s", test.name, q)
		}
	}
}

func TestHealthInWords(t *testing.T) {
	lost, full, stray, other := well("b"), well("b"), well("b"), well("b")
	lost.LeaderID = 0
	full.Alarms = []string{"NOSPACE"}
	stray.LeaderID = 2
	other.ClusterID = 8
	for want, s := range map[string]Status{
		"": {Members: []MemberStatus{well("a"), well("b"), well("c")}},
		"2 of 3 members answer; quorum is 2: b does not answer: connection refused": {Members: []MemberStatus{well("a"), dead("b"), well("c")}},
		"1 of 2 members answers; quorum is 2: b has no leader":                      {Members: []MemberStatus{well("a"), lost}},
		"2 of 2 members answer; quorum is 2: b raises NOSPACE":                      {Members: []MemberStatus{well("a"), full}},
		"2 of 2 members answer; quorum is 2: members follow different leaders":      {Members: []MemberStatus{well("a"), stray}},
		"2 of 2 members answer; quorum is 2: members are of different clusters":     {Members: []MemberStatus{well("a"), other}},
		"1 of 1 member answers; quorum is 1: no read":                               {Members: []MemberStatus{well("a")}, ReadErr: errors.New("no read")},
		"0 of 0 members answer; quorum is 1":                                        {},
	} {
		err := s.Err()
		if want == "" {
			if err != nil {
				t.Errorf("%v", err)
			}
			continue
		}
		var unhealthy *UnhealthyError
		if !errors.As(err, &unhealthy) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestAlarmsOfOneMember(t *testing.T) {
	got := alarms(7, []string{"memberID:7 alarm:NOSPACE ", "memberID:8 alarm:CORRUPT ", "etcdserver: no leader"})
	if !slices.Equal(got, []string{"NOSPACE"}) {
		t.Errorf("%q", got)
	}
}

func TestConnectRefusesWhatCannotWork(t *testing.T) {
	for want, c := range map[string]Config{
		"no endpoints":   {},
		"no certificate": {Endpoints: []string{"https://127.0.0.1:2379"}, CA: []byte("x")},
	} {
		if _, err := Connect(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestUnreachableSaysWhatTheDialerSaidAtOnce(t *testing.T) {
	ca, err := etcdtest.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(pkix.Name{CommonName: "drover"})
	if err != nil {
		t.Fatal(err)
	}
	cut := errors.New("the tunnel is closed")
	c, err := Connect(Config{Endpoints: []string{"https://10.90.0.11:2379", "https://10.90.0.12:2379"},
		CA: ca.PEM, Cert: pair.Cert, Key: pair.Key, Timeout: time.Minute,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, cut }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	var unhealthy *UnhealthyError
	if err := c.Healthy(t.Context()); !errors.Is(err, cut) || errors.As(err, &unhealthy) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %s of a minute to say so", took)
	}
}
