package desired

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/kube"
)

func TestTheMachineBeforeRuns(t *testing.T) {
	const peer = "https://10.90.0.12:2380"
	was, is := netip.MustParseAddr("10.90.0.12"), netip.MustParseAddr("10.90.0.99")
	former := etcd.Member{ID: 2, Name: "m2", PeerURLs: []string{peer}}
	silent := etcd.MemberStatus{Member: former, Err: errors.New("refused")}
	other := etcd.MemberStatus{Member: etcd.Member{ID: 1, Name: "m1"}, LeaderID: 1}
	node := func(at netip.Addr, heard bool) kube.NodeState {
		return kube.NodeState{Name: "m2", UID: "u", Address: at, Heard: heard}
	}
	for name, test := range map[string]struct {
		at        netip.Addr
		member    etcd.MemberStatus
		node      kube.NodeState
		elsewhere bool
		want      string
	}{
		"its etcd answers":                      {is, etcd.MemberStatus{Member: former, LeaderID: 1}, node(was, false), true, "its etcd answers"},
		"its etcd answers, without a leader":    {is, etcd.MemberStatus{Member: former}, kube.NodeState{}, true, "its etcd answers"},
		"its kubelet is heard of":               {is, silent, node(was, true), true, "its kubelet is heard of"},
		"it is silent":                          {is, silent, node(was, false), true, ""},
		"it has no Node any more":               {is, silent, kube.NodeState{}, true, ""},
		"the new one is at its address":         {was, silent, node(was, true), false, ""},
		"its kubelet is heard of anywhere else": {was, silent, node(is, true), true, "its kubelet is heard of"},
	} {
		j := Joiner{Name: "m2", Former: &former}
		err := j.Runs(test.at, etcd.Status{Members: []etcd.MemberStatus{other, test.member}}, test.node)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got := j.IsElsewhere(test.at, test.node); got != test.elsewhere {
			t.Errorf("%s: elsewhere %v", name, got)
		}
	}
	if err := (Joiner{Name: "m2"}).Runs(is, etcd.Status{Members: []etcd.MemberStatus{other}}, node(was, true)); err == nil {
		t.Error("one that is a member no more, and whose kubelet is heard of, is dead")
	}
}

// What is dead is silent for a while, and looks that fail say nothing.
func TestSilent(t *testing.T) {
	runs, failed := &RunsError{Name: "m2", What: "its etcd answers"}, errors.New("no quorum")
	at := func(when time.Duration, what error) func(time.Duration) error {
		return func(now time.Duration) error {
			if now >= when && now < when+time.Second {
				return what
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		seen  func(time.Duration) error
		want  error
		after time.Duration
	}{
		"silent":                   {at(0, nil), nil, quietFor},
		"runs":                     {at(0, runs), runs, 0},
		"is heard of once":         {at(15*time.Second, runs), runs, 15 * time.Second},
		"could not be looked at":   {at(10*time.Second, failed), nil, 11*time.Second + quietFor},
		"could never be looked at": {func(time.Duration) error { return failed }, failed, lookLimit},
		"could often not be looked at": {func(now time.Duration) error {
			if now%(15*time.Second) < 2*time.Second {
				return failed
			}
			return nil
		}, context.DeadlineExceeded, lookLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := silent(t.Context(), "m2", nil, func(context.Context) error { return c.seen(time.Since(start)) })
				took := time.Since(start)
				if (err == nil) != (c.want == nil) || c.want != context.DeadlineExceeded && !errors.Is(err, c.want) || took < c.after || took > c.after+2*time.Second {
					t.Errorf("%v after %s, want %v after %s", err, took, c.want, c.after)
				}
			})
		})
	}
}
