package fleettest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"

	"github.com/droverctl/drover/manifests"
)

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

// change does something to the members, if they are and stay a quorum.
func (e *etcd) change(ctx context.Context, what string, do func(members []etcdMember) ([]etcdMember, error)) error {
	strike, err := e.changed(what, do)
	if strike != nil {
		strike()
		<-ctx.Done()
	}
	return err
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
