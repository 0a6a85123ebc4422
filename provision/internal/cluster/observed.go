package cluster

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"net/url"
	"slices"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/kube"
)

// Member is a host as the cluster itself knows it, whatever an inventory says.
type Member struct {
	Name    string
	Address netip.Addr // invalid where its kubelet has not told it yet
	Master  bool
	Etcd    bool   // etcd has a member of its name
	Machine string // its machine-id, as its kubelet says; empty where nobody has
	// Excluded is what drover keeps it from, in words, as a removal does at its beginning;
	// empty when it does not, and when it is somebody else who has cordoned it.
	Excluded string
}

// Nodes are the members that have a Node.
func (a *Access) Nodes(ctx context.Context) ([]Member, error) {
	nodes, err := a.allNodes(ctx)
	return ofNodes(nodes.States()), err
}

// EtcdMembers are those that etcd lists by name; one that never started has none.
func (a *Access) EtcdMembers(ctx context.Context) ([]Member, error) {
	client, err := a.Etcd()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	members, err := client.Members(ctx)
	return ofEtcd(members), err
}

// EtcdAgreed are etcd's members as their quorum knows them.
func (a *Access) EtcdAgreed(ctx context.Context) ([]etcd.Member, error) {
	return recall(a, "etcd members", func() ([]etcd.Member, error) {
		client, err := a.Etcd()
		if err != nil {
			return nil, err
		}
		defer client.Close()
		return client.Agreed(ctx)
	})
}

func ofNodes(nodes []kube.NodeState) []Member {
	var out []Member
	for _, n := range nodes {
		out = append(out, Member{Name: n.Name, Address: n.Address, Master: n.Master, Machine: n.Machine, Excluded: excluded(n)})
	}
	return out
}

func excluded(n kube.NodeState) string {
	switch {
	case !n.Excluded && n.Leaving:
		return "cordoned"
	case !n.Excluded:
		return ""
	case n.Cordoned:
		return "cordoned and kept from service addresses"
	}
	return "kept from service addresses"
}

func ofEtcd(members []etcd.Member) []Member {
	var out []Member
	for _, m := range members {
		if m.Name == "" {
			continue
		}
		one := Member{Name: m.Name, Master: true, Etcd: true}
		for _, peer := range m.PeerURLs {
			if u, err := url.Parse(peer); err == nil && !one.Address.IsValid() {
				one.Address, _ = netip.ParseAddr(u.Hostname())
			}
		}
		out = append(out, one)
	}
	return out
}

// Merge is all of them by name, each once. Of two addresses the first counts.
func Merge(lists ...[]Member) []Member {
	byName := map[string]Member{}
	for _, m := range slices.Concat(lists...) {
		have := byName[m.Name]
		if !have.Address.IsValid() {
			have.Address = m.Address
		}
		byName[m.Name] = Member{m.Name, have.Address, have.Master || m.Master, have.Etcd || m.Etcd, cmp.Or(have.Machine, m.Machine), cmp.Or(have.Excluded, m.Excluded)}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
}
