package etcd

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
	"github.com/droverctl/drover/provision/internal/wait"
)

// cluster is a real cluster, and a client whose connections are counted.
type cluster struct {
	*Client
	binary  string
	dir     string
	ca      *etcdtest.CA
	members []*etcdtest.Member
	mu      sync.Mutex
	dialled map[string]int
}

// start starts a cluster of the names given.
func start(t *testing.T, names ...string) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what needs a real etcd")
	}
	binary, err := etcdtest.Find("etcd", "etcd")
	if err != nil {
		t.Skip(err)
	}
	cl := &cluster{binary: binary, dir: t.TempDir(), dialled: map[string]int{}}
	if cl.ca, err = etcdtest.NewCA("test"); err != nil {
		t.Fatal(err)
	}
	var endpoints []string
	for _, name := range names {
		m := cl.prepare(t, name)
		cl.members = append(cl.members, m)
		endpoints = append(endpoints, m.URL)
	}
	for _, m := range cl.members {
		cl.run(t, m, "new", cl.members...)
	}
	for _, m := range cl.members {
		if err := m.Ready(); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := cl.ca.Issue(pkix.Name{CommonName: "drover"})
	if err != nil {
		t.Fatal(err)
	}
	cl.Client, err = Connect(Config{Endpoints: endpoints, CA: cl.ca.PEM, Cert: pair.Cert, Key: pair.Key, Dial: cl.dial, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

func (cl *cluster) prepare(t *testing.T, name string) *etcdtest.Member {
	t.Helper()
	m, err := etcdtest.NewMember(cl.dir, name, cl.ca)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (cl *cluster) run(t *testing.T, m *etcdtest.Member, state string, all ...*etcdtest.Member) {
	t.Helper()
	if err := m.Start(cl.binary, state, all...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
}

func (cl *cluster) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	cl.mu.Lock()
	cl.dialled[addr]++
	cl.mu.Unlock()
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	err := wait.For(t.Context(), wait.Condition{What: what, Limit: 30 * time.Second, Every: 200 * time.Millisecond, Check: check}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func names(s Status) []string {
	var out []string
	for _, m := range s.Members {
		out = append(out, m.String())
	}
	return out
}

func TestStatusOfThree(t *testing.T) {
	cl := start(t, "m1", "m2", "m3")
	eventually(t, "the cluster to be well", cl.Healthy)
	s, err := cl.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(s); !slices.Equal(got, []string{"m1", "m2", "m3"}) {
		t.Fatalf("members %q", got)
	}
	leaders := 0
	for _, m := range s.Members {
		if m.Leader {
			leaders++
		}
		if m.RaftIndex == 0 || m.DBSize == 0 || m.Version == "" || m.ClusterID == 0 || m.Learner {
			t.Errorf("%+v", m)
		}
		if cl.dialled[strings.TrimPrefix(m.ClientURLs[0], "https://")] == 0 {
			t.Errorf("%s was not reached through the dialer", m)
		}
	}
	if leaders != 1 {
		t.Errorf("%d leaders", leaders)
	}

	raiseAlarm(t, cl, s.Members[0])
	eventually(t, "the alarm to show", func(ctx context.Context) error {
		var unhealthy *UnhealthyError
		if err := cl.Healthy(ctx); !errors.As(err, &unhealthy) || !slices.Equal(unhealthy.Trouble, []string{"m1 raises NOSPACE"}) {
			return errors.Join(errors.New("not so"), err)
		}
		return nil
	})

	// Without a quorum, the members and their arithmetic are still told.
	cl.members[0].Stop()
	eventually(t, "m1 to be missed", func(ctx context.Context) error {
		return says(cl.Healthy(ctx), "2 of 3 members answer; quorum is 2: m1 does not answer")
	})
	if err := cl.Remove(t.Context(), s.Members[1].ID); !isQuorum(err) {
		t.Errorf("removing a live one of the last two: %v", err)
	}
	cl.members[1].Stop()
	eventually(t, "the quorum to be lost", func(ctx context.Context) error { return says(cl.Healthy(ctx), "0 of 3 members answer; quorum is 2") })
	if s, err := cl.Status(t.Context()); err != nil || s.Quorum().Has() || s.ReadErr == nil {
		t.Errorf("%+v %v", s, err)
	}
	var unhealthy *UnhealthyError
	if _, err := cl.AddLearner(t.Context(), "https://127.0.0.1:1"); !errors.As(err, &unhealthy) {
		t.Errorf("added to a cluster without a quorum: %v", err)
	}
	cl.members[2].Stop()
	if err := cl.Healthy(t.Context()); err == nil || errors.As(err, &unhealthy) {
		t.Errorf("nobody to ask, and the answer is %v", err)
	}
}

// raiseAlarm makes a member say it is out of space.
func raiseAlarm(t *testing.T, cl *cluster, m MemberStatus) {
	t.Helper()
	one, err := cl.open(m.ClientURLs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	_, err = etcdserverpb.NewMaintenanceClient(one.ActiveConnection()).Alarm(t.Context(), &etcdserverpb.AlarmRequest{
		Action: etcdserverpb.AlarmRequest_ACTIVATE, MemberID: m.ID, Alarm: etcdserverpb.AlarmType_NOSPACE})
	if err != nil {
		t.Fatal(err)
	}
}

func says(err error, want string) error {
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		return errors.Join(errors.New("not what was expected"), err)
	}
	return nil
}

func isQuorum(err error) bool {
	var q *QuorumError
	return errors.As(err, &q)
}

func TestMembersComeAndGo(t *testing.T) {
	cl := start(t, "m1")
	eventually(t, "m1 to be well", cl.Healthy)
	m1 := cl.members[0]
	m2 := cl.prepare(t, "m2")

	added, err := cl.AddLearner(t.Context(), m2.Peer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := cl.AddLearner(t.Context(), m2.Peer)
	if err != nil || again.ID != added.ID || !again.Learner {
		t.Errorf("adding again: %+v, %v", again, err)
	}
	if err := cl.Promote(t.Context(), added.ID); !isQuorum(err) || !strings.HasSuffix(err.Error(), "afterwards 1 of 2 members answers; quorum is 2") {
		t.Errorf("promoted a member that never started: %v", err)
	}
	if err := says(cl.Healthy(t.Context()), "1 of 1 member answers; quorum is 1: "+added.String()+" does not answer: it has not started"); err != nil {
		t.Error(err)
	}

	cl.run(t, m2, "existing", m1, m2)
	eventually(t, "m2 to be promoted", func(ctx context.Context) error { return cl.Promote(ctx, added.ID) })
	if err := cl.Promote(t.Context(), added.ID); err != nil {
		t.Errorf("promoting again: %v", err)
	}
	eventually(t, "both to be well", cl.Healthy)
	s, err := cl.Status(t.Context())
	if err != nil || s.Quorum() != (Quorum{Voters: 2, Answers: 2}) {
		t.Fatalf("%s, %v", s.Quorum(), err)
	}

	if err := cl.Remove(t.Context(), added.ID); err != nil && !errors.Is(err, ErrUnsettled) {
		t.Fatal(err)
	}
	eventually(t, "m2 to be removed", func(ctx context.Context) error { return cl.Remove(ctx, added.ID) })
	if err := cl.Remove(t.Context(), added.ID); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
	eventually(t, "m1 to be alone and well", cl.Healthy)
	members, err := cl.Members(t.Context())
	if err != nil || len(members) != 1 || members[0].Name != "m1" {
		t.Fatalf("%v, %v", members, err)
	}
	if err := cl.Remove(t.Context(), members[0].ID); !isQuorum(err) || !strings.Contains(err.Error(), "removing m1 would cost the quorum") {
		t.Errorf("removing the last: %v", err)
	}
}

// One becomes three, and the first is replaced, as drover does it: asked by way of all
// of them, whether they have begun or not, and with a write that must always go through.
func TestOneBecomesThreeAndTheFirstIsReplaced(t *testing.T) {
	cl := start(t, "m1")
	eventually(t, "m1 to be well", cl.Healthy)
	m1, m2, m3 := cl.members[0], cl.prepare(t, "m2"), cl.prepare(t, "m3")
	cl.reach(t, m1, m2, m3)
	stop := cl.keepWriting(t)

	cl.join(t, m2, m1, m2)
	cl.join(t, m3, m1, m2, m3)
	eventually(t, "three to be well", cl.Healthy)
	s, err := cl.Status(t.Context())
	if err != nil || s.Quorum().Voters != 3 {
		t.Fatalf("%s, %v", s.Quorum(), err)
	}

	// The machine of the first is gone, and another comes in its place.
	m1.Stop()
	eventually(t, "m1 to be missed", func(ctx context.Context) error {
		return says(cl.Healthy(ctx), "2 of 3 members answer; quorum is 2: m1 does not answer")
	})
	if err := cl.Remove(t.Context(), s.Members[1].ID); !isQuorum(err) || !strings.Contains(err.Error(), "removing m2 would cost the quorum: afterwards 1 of 2 members answers; quorum is 2") {
		t.Errorf("removing a live one while one is dead: %v", err)
	}
	eventually(t, "m1 to be removed", func(ctx context.Context) error { return cl.Remove(ctx, s.Members[0].ID) })
	again, err := etcdtest.NewMember(t.TempDir(), "m1", cl.ca)
	if err != nil {
		t.Fatal(err)
	}
	again.URL, again.Peer = m1.URL, m1.Peer // the same address
	cl.join(t, again, again, m2, m3)
	stop()

	members, err := cl.Agreed(t.Context())
	if err != nil || len(members) != 3 {
		t.Fatalf("%v, %v", members, err)
	}
	for i, name := range []string{"m1", "m2", "m3"} {
		if m := members[i]; m.Name != name || m.Learner || name == "m1" && m.ID == s.Members[0].ID {
			t.Errorf("%+v", m)
		}
	}
	eventually(t, "all to be well", cl.Healthy)
}

// Three become one, each time the leader first, which hands on before: whoever writes
// does not notice, and it leads who stays.
func TestThreeBecomeOne(t *testing.T) {
	cl := start(t, "m1", "m2", "m3")
	eventually(t, "all to be well", cl.Healthy)
	stop := cl.keepWriting(t)
	var all []uint64
	s, err := cl.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Members {
		all = append(all, m.ID)
	}
	leader := func() MemberStatus {
		var found MemberStatus
		eventually(t, "a leader", func(ctx context.Context) error {
			s, err := cl.Status(ctx)
			for _, m := range s.Members {
				if m.Leader {
					found = m
					return nil
				}
			}
			return errors.Join(errors.New("none"), err)
		})
		return found
	}
	one := leader()
	stays := all[0]
	if stays == one.ID {
		stays = all[1]
	}
	var third uint64
	for _, id := range all {
		if id != one.ID && id != stays {
			third = id
		}
	}
	if err := cl.MoveLeader(t.Context(), one.ID, stays, third); err == nil || !strings.Contains(err.Error(), "nobody else") {
		t.Errorf("to nobody: %v", err)
	}
	for _, id := range []uint64{one.ID, third} {
		if err := cl.MoveLeader(t.Context(), id, third); err != nil {
			t.Fatal(err)
		}
		if got := leader().ID; got == id {
			t.Errorf("%016x still leads", id)
		}
		eventually(t, "one to be removed", func(ctx context.Context) error { return cl.Remove(ctx, id) })
	}
	stop()
	eventually(t, "the one that stays to know that it is alone", func(ctx context.Context) error {
		members, err := cl.Agreed(ctx)
		if err == nil && (len(members) != 1 || members[0].ID != stays) {
			err = fmt.Errorf("%v", members)
		}
		return err
	})
	if got := leader().ID; got != stays {
		t.Errorf("%016x leads", got)
	}
}

// reach has the client know of members, whether they run or not.
func (cl *cluster) reach(t *testing.T, members ...*etcdtest.Member) {
	t.Helper()
	config := cl.Client.config
	config.Endpoints = nil
	for _, m := range members {
		config.Endpoints = append(config.Endpoints, m.URL)
	}
	client, err := Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	cl.Client.Close()
	cl.Client = client
}

// join has a member added, started and promoted. all are those there are then.
func (cl *cluster) join(t *testing.T, m *etcdtest.Member, all ...*etcdtest.Member) {
	t.Helper()
	var added Member
	eventually(t, m.Name+" to be added", func(ctx context.Context) (err error) {
		added, err = cl.AddLearner(ctx, m.Peer)
		return err
	})
	cl.run(t, m, "existing", all...)
	for range 20 { // the learner refuses to be asked, and is passed over
		if _, err := cl.Members(t.Context()); err != nil {
			t.Errorf("while %s is a learner: %v", m.Name, err)
		}
	}
	eventually(t, m.Name+" to be promoted", func(ctx context.Context) error { return cl.Promote(ctx, added.ID) })
}

// keepWriting writes without end by way of whoever answers; the function it returns
// ends that, and fails the test when none got through for longer than an election.
func (cl *cluster) keepWriting(t *testing.T) func() {
	t.Helper()
	client, err := Connect(cl.Client.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var slowest time.Duration
	go func() {
		defer close(done)
		last := time.Now()
		for ctx.Err() == nil {
			one, stop := context.WithTimeout(ctx, 500*time.Millisecond)
			if _, err := client.all.Put(one, "k", "v"); err == nil {
				last = time.Now()
			}
			stop()
			slowest = max(slowest, time.Since(last))
		}
	}()
	return func() {
		cancel()
		<-done
		client.Close()
		t.Logf("longest without a write: %s", slowest)
		if slowest > 5*time.Second { // an election takes one, on a busy machine more
			t.Errorf("%s without a write", slowest)
		}
	}
}
