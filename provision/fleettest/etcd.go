package fleettest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// etcds plays the etcd of a fleet: whom it has as members, and what becomes of those
// that start. What they hold is not played, so a learner has caught up when it runs.
type etcds struct {
	fleet *Fleet
	lead  atomic.Uint64 // who was told to lead; else it is the first that runs

	mu      sync.Mutex
	members []etcdMember
	last    uint64
	changes []string // of its members, in words
	due     int      // how many changes there are yet until struck is called; 0: it is not
	struck  func()
}

// etcdMember is one member. host is the machine whose data is its own; nil before it
// has any.
type etcdMember struct {
	id      uint64
	name    string
	address string
	learner bool
	host    *Host
}

func (m etcdMember) peer() string { return member(m.address, manifests.EtcdPeerPort) }

func member(address string, port int) string {
	return "https://" + net.JoinHostPort(address, strconv.Itoa(port))
}

// StopEtcd has a host's etcd stop, and not come again by itself.
func (f *Fleet) StopEtcd(name string) { f.StopFormerEtcd(f.Host(name)) }

// StopFormerEtcd is StopEtcd for a machine that another may have the name of.
func (f *Fleet) StopFormerEtcd(h *Host) {
	h.Machine.Edit(func(s *hosttest.State) {
		u := s.Units[manifests.EtcdUnit]
		u.Active = false
		s.Units[manifests.EtcdUnit] = u
	})
	h.etcdRuns.Store(false)
}

// StopAPI has a host's API server answer no more. What was asked there is cut off.
func (f *Fleet) StopAPI(name string) {
	h := f.Host(name)
	h.serves.Store(false)
	go f.api.forget(h.Address)
}

// holdsEtcd reports whether a host has data of an etcd. One of which another machine
// has the name had some.
func (h *Host) holdsEtcd() (holds bool) {
	if h == nil || h.gone.Load() {
		return h != nil
	}
	h.Machine.Edit(func(s *hosttest.State) { _, holds = s.Files[manifests.EtcdDataDir+"/member/wal"] })
	return holds
}

// begin plays an etcd's first moments. It is called while its machine is locked, so
// nothing here may look at another one's.
func (e *etcds) begin(h *Host, s *hosttest.State) error {
	err := e.start(h, s)
	h.etcdRuns.Store(err == nil)
	return err
}

// start has it be who it was, with data of its own, and else do what its environment
// says, as far as the members agree.
func (e *etcds) start(h *Host, s *hosttest.State) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, data := s.Files[manifests.EtcdDataDir+"/member/wal"]
	if data {
		if !slices.ContainsFunc(e.members, func(m etcdMember) bool { return m.host == h }) {
			return errors.New("the member has been permanently removed from the cluster")
		}
		return nil
	}
	env := s.Files[manifests.EtcdJoinPath].Content
	initial := map[string]string{} // peer to name
	for one := range strings.SplitSeq(between(env, "ETCD_INITIAL_CLUSTER=", "\n"), ",") {
		name, peer, _ := strings.Cut(one, "=")
		initial[peer] = name
	}
	if len(e.members) == 0 && strings.Contains(env, "ETCD_INITIAL_CLUSTER_STATE=new\n") {
		e.found(initial)
	}
	// A disk that was full may have undone that it had begun.
	own := slices.IndexFunc(e.members, func(m etcdMember) bool { return m.address == h.Address && (m.host == nil || m.host == h) })
	if own < 0 {
		return errors.New("it has no data, and is no member that has not begun")
	}
	for _, m := range e.members {
		if initial[m.peer()] == "" || len(initial) != len(e.members) || initial[e.members[own].peer()] != h.Name {
			return fmt.Errorf("member count is unequal, or another: %v of %v", initial, e.members)
		}
	}
	e.members[own].name, e.members[own].host = h.Name, h
	return s.MakeDirs(manifests.EtcdDataDir + "/member/wal")
}

// found makes the first members.
func (e *etcds) found(initial map[string]string) {
	for _, h := range e.fleet.Hosts[:e.fleet.conf.Masters] {
		if name := initial[member(h.Address, manifests.EtcdPeerPort)]; name != "" {
			e.last++
			e.members = append(e.members, etcdMember{id: e.last, name: name, address: h.Address})
		}
	}
}

// quorum reports whether the voters that run are enough, and who leads then.
func (e *etcds) quorum(members []etcdMember) (leader uint64, ok bool) {
	voters, run := 0, 0
	for _, m := range members {
		if m.learner {
			continue
		}
		voters++
		if m.host != nil && !m.host.gone.Load() && m.host.etcdRuns.Load() {
			run++
			if leader == 0 || m.id == e.lead.Load() {
				leader = m.id
			}
		}
	}
	return leader, voters > 0 && run > voters/2
}

func (e *etcds) list() []etcdMember {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.members)
}

// EtcdMembers are etcd's members: NAME, of a learner "NAME (learner)".
func (f *Fleet) EtcdMembers() []string {
	var out []string
	for _, m := range f.etcds.list() {
		name := m.name
		if m.learner {
			name += " (learner)"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// EtcdChanges are the changes that etcd's members have had, in words.
func (f *Fleet) EtcdChanges() []string {
	f.etcds.mu.Lock()
	defer f.etcds.mu.Unlock()
	return slices.Clone(f.etcds.changes)
}

// etcd is one master's etcd as it serves clients.
type etcd struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	pb.UnimplementedKVServer
	*etcds
	host *Host
}

// newEtcd is a member as it serves clients.
func newEtcd(f *Fleet, h *Host) http.Handler {
	calls, one := grpc.NewServer(), &etcd{etcds: f.etcds, host: h}
	pb.RegisterClusterServer(calls, one)
	pb.RegisterMaintenanceServer(calls, one)
	pb.RegisterKVServer(calls, one)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		if _, ok := f.etcds.quorum(f.etcds.list()); !ok {
			_, _ = w.Write([]byte(`{"health":"false","reason":"RAFT NO LEADER"}`))
			return
		}
		_, _ = w.Write([]byte(`{"health":"true"}`))
	})
}

func (e *etcd) header() *pb.ResponseHeader {
	h := &pb.ResponseHeader{ClusterId: 1, Revision: 1}
	for _, m := range e.list() {
		if m.host == e.host {
			h.MemberId = m.id
		}
	}
	return h
}

// learner reports whether this member is one, which takes no part.
func (e *etcd) learner() bool {
	return slices.ContainsFunc(e.list(), func(m etcdMember) bool { return m.host == e.host && m.learner })
}

// MemberList lists the members.
func (e *etcd) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if e.learner() {
		return nil, rpctypes.ErrGRPCNotSupportedForLearner
	}
	out := &pb.MemberListResponse{Header: e.header()}
	for _, m := range e.list() {
		one := &pb.Member{ID: m.id, IsLearner: m.learner, PeerURLs: []string{m.peer()}}
		if m.host.holdsEtcd() {
			one.Name = m.name
			one.ClientURLs = []string{member(m.address, manifests.EtcdClientPort)}
		}
		out.Members = append(out.Members, one)
	}
	return out, nil
}

// Status tells how this member is.
func (e *etcd) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	leader, ok := e.quorum(e.list())
	if !ok {
		leader = 0
	}
	return &pb.StatusResponse{Header: e.header(), Version: "3.6.16", DbSize: 1 << 20, Leader: leader, RaftTerm: 2, RaftIndex: 9, RaftAppliedIndex: 9, IsLearner: e.learner()}, nil
}

// Range reads nothing, through the quorum.
func (e *etcd) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	if _, ok := e.quorum(e.list()); !ok {
		return nil, rpctypes.ErrGRPCTimeout
	}
	return &pb.RangeResponse{Header: e.header()}, nil
}

// StrikeEtcd has something happen when the n-th change of etcd's members from now on
// has taken effect, of which nobody is told then.
func (f *Fleet) StrikeEtcd(n int, do func()) {
	f.etcds.mu.Lock()
	defer f.etcds.mu.Unlock()
	f.etcds.due, f.etcds.struck = n, do
}

// change does something to the members, if they are and stay a quorum.
func (e *etcd) change(ctx context.Context, what string, do func(members []etcdMember) ([]etcdMember, error)) error {
	strike, err := e.changed(what, do)
	if strike != nil {
		strike()
		<-ctx.Done()
	}
	return err
}

func (e *etcds) changed(what string, do func(members []etcdMember) ([]etcdMember, error)) (strike func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.quorum(e.members); !ok {
		return nil, rpctypes.ErrGRPCTimeout
	}
	next, err := do(slices.Clone(e.members))
	if err != nil {
		return nil, err
	}
	if _, ok := e.quorum(next); !ok {
		e.fleet.tb.Errorf("fleettest: %s costs etcd its quorum", what)
	}
	e.members = next
	e.changes = append(e.changes, what)
	if e.due > 0 {
		if e.due--; e.due == 0 {
			return e.struck, nil
		}
	}
	return nil, nil
}

// MemberAdd adds a learner, one at a time.
func (e *etcd) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	u, err := url.Parse(r.PeerURLs[0])
	if err != nil || !r.IsLearner {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	var id uint64
	err = e.change(ctx, "add "+u.Hostname(), func(members []etcdMember) ([]etcdMember, error) {
		for _, m := range members {
			switch {
			case m.address == u.Hostname():
				return nil, rpctypes.ErrGRPCPeerURLExist
			case m.learner:
				return nil, rpctypes.ErrGRPCTooManyLearners
			}
		}
		e.last++
		id = e.last
		return append(members, etcdMember{id: id, address: u.Hostname(), learner: true}), nil
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberAddResponse{Header: e.header(), Member: &pb.Member{ID: id, PeerURLs: r.PeerURLs, IsLearner: true}}, nil
}

// MemberPromote gives a learner that runs its vote.
func (e *etcd) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return &pb.MemberPromoteResponse{Header: e.header()}, e.change(ctx, fmt.Sprint("promote ", e.name(r.ID)), func(members []etcdMember) ([]etcdMember, error) {
		i := slices.IndexFunc(members, func(m etcdMember) bool { return m.id == r.ID })
		switch {
		case i < 0:
			return nil, rpctypes.ErrGRPCMemberNotFound
		case !members[i].learner:
			return nil, rpctypes.ErrGRPCMemberNotLearner
		case members[i].host == nil || !members[i].host.etcdRuns.Load():
			return nil, rpctypes.ErrGRPCLearnerNotReady
		}
		members[i].learner = false
		return members, nil
	})
}

// MoveLeader has another member lead. Only the one that leads can do that.
func (e *etcd) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	header := e.header()
	e.mu.Lock()
	defer e.mu.Unlock()
	leader, _ := e.quorum(e.members)
	i := slices.IndexFunc(e.members, func(m etcdMember) bool { return m.id == r.TargetID })
	switch {
	case leader != header.MemberId:
		return nil, rpctypes.ErrGRPCNotLeader
	case i < 0 || e.members[i].learner:
		return nil, rpctypes.ErrGRPCBadLeaderTransferee
	}
	e.lead.Store(r.TargetID)
	return &pb.MoveLeaderResponse{Header: header}, nil
}

// MemberRemove takes a member away, whose etcd ends then. No drover removes one that
// leads.
func (e *etcd) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return &pb.MemberRemoveResponse{Header: e.header()}, e.change(ctx, fmt.Sprint("remove ", e.name(r.ID)), func(members []etcdMember) ([]etcdMember, error) {
		i := slices.IndexFunc(members, func(m etcdMember) bool { return m.id == r.ID })
		if i < 0 {
			return nil, rpctypes.ErrGRPCMemberNotFound
		}
		if leader, _ := e.quorum(members); leader == r.ID {
			e.fleet.tb.Errorf("fleettest: %s is removed while it leads", members[i].name)
		}
		if h := members[i].host; h != nil {
			h.etcdRuns.Store(false)
		}
		return slices.Delete(members, i, i+1), nil
	})
}

func (e *etcds) name(id uint64) string {
	for _, m := range e.list() {
		if m.id == id {
			return m.name
		}
	}
	return ""
}

// snapshotDir is where masters keep snapshots: of runs, not of the cluster.
const snapshotDir = "/var/lib/drover/etcd-snapshots"

// snapshot plays a snapshot of a master's etcd.
func (h *Host) snapshot(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 8 || c.Argv[1] != snapshotDir {
		return notPlayed(c)
	}
	if !s.Units[manifests.EtcdUnit].Active {
		return host.Result{Exit: 1, Stderr: []byte("its etcd is not part of a quorum: connection refused\n")}
	}
	content := "a snapshot by " + h.Name
	if err := s.MakeDirs(snapshotDir); err != nil {
		return host.Result{Exit: 74, Stderr: []byte(err.Error())}
	}
	if err := s.Put(snapshotDir+"/"+c.Argv[2], content, 0o600, "root:root"); err != nil {
		return host.Result{Exit: 74, Stderr: []byte(err.Error())}
	}
	return host.Result{Stdout: fmt.Appendf(nil, "@@drover-snapshot@@ status {\"hash\":7,\"revision\":42,\"totalKey\":3}\n@@drover-snapshot@@ file %d %s\n@@drover-snapshot@@ end\n",
		len(content), digest(content))}
}

// readSnapshot plays the reading of a piece of one.
func readSnapshot(s *hosttest.State, c hosttest.Call) host.Result {
	at, err := strconv.Atoi(c.Argv[2])
	f, there := s.Files[c.Argv[1]]
	if err != nil || !there || at < 1 || at > len(f.Content)+1 {
		return host.Result{Exit: 1, Stderr: []byte("tail: cannot open it\n")}
	}
	return host.Result{Stdout: []byte(f.Content[at-1:])}
}
