package fleettest

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/droverctl/drover/manifests"
)

// etcd plays a member: it is healthy, and knows all masters as its members.
type etcd struct {
	pb.UnimplementedClusterServer
	fleet *Fleet
}

// newEtcd is a member as it serves clients.
func newEtcd(f *Fleet) http.Handler {
	calls := grpc.NewServer()
	pb.RegisterClusterServer(calls, &etcd{fleet: f})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"health":"true"}`))
	})
}

// MemberList lists the masters.
func (e *etcd) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	out := &pb.MemberListResponse{Header: &pb.ResponseHeader{}}
	for i, h := range e.fleet.Hosts[:e.fleet.conf.Masters] {
		url := func(port int) []string { return []string{"https://" + net.JoinHostPort(h.Address, strconv.Itoa(port))} }
		out.Members = append(out.Members, &pb.Member{
			ID: uint64(i + 1), Name: h.Name, PeerURLs: url(manifests.EtcdPeerPort), ClientURLs: url(manifests.EtcdClientPort),
		})
	}
	return out, nil
}
