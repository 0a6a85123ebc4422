package inventory

import (
	"math"
	"net/netip"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
)

var (
	asNumbers  = limits{1, math.MaxUint32 - 1, CodeASNumber} // RFC 7607 and 7300 reserve both ends
	blockSizes = limits{20, 32, CodeBlockSize}
	ports      = limits{1, 65535, CodeOutOfRange}
	counts     = limits{0, 1_000_000, CodeOutOfRange}
)

// defaults is what an inventory that says nothing gets.
func defaults(s sources) *Cluster {
	return &Cluster{
		PodCIDR:     netip.MustParsePrefix("10.100.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		SSH:         SSH{Become: BecomeNone},
		Calico:      Calico{ASNumber: 64512, BlockSize: 26},
		Capacity:    Capacity{Profile: "standard"},
		sources:     s,
	}
}

// root reads one file: blocks into the cluster, in any order. It never sees
// another file's blocks, because functions count from the file they stand in.
func (d *decoder) root(body hcl.Body, s scope) {
	root := &block{d: d, spec: rootSpec, scope: s, title: "the inventory", meant: map[string]bool{}}
	root.where.Block = rangeOf(body.MissingItemRange())
	root.read(body)
	root.each(d.seen, func(b *block, first bool) {
		c := d.cluster
		if !first {
			c = &Cluster{} // a second cluster or ssh block: its mistakes count, its values do not
		}
		switch b.spec.kind {
		case clusterSpec.kind:
			b.cluster(c)
		case sshSpec.kind:
			b.ssh(&c.SSH)
		case calicoSpec.kind:
			b.calico(&c.Calico)
		case capacitySpec.kind:
			b.capacity(&c.Capacity)
		case bigipSpec.kind:
			c.BigIPs = append(c.BigIPs, b.bigip())
		case string(RoleMaster):
			c.KubeMasters = append(c.KubeMasters, b.host(RoleMaster))
		case string(RoleNode):
			c.KubeNodes = append(c.KubeNodes, b.host(RoleNode))
		}
	})
}

func (b *block) cluster(c *Cluster) {
	c.Where, c.Name = b.where, b.name
	b.version("kubernetes", &c.Kubernetes)
	b.masters("masters", &c.Masters)
	b.cidr("pod_cidr", &c.PodCIDR)
	b.cidr("service_cidr", &c.ServiceCIDR)
	b.each(map[string]diag.Range{}, func(inner *block, first bool) {
		api := &c.API
		if !first {
			api = &API{}
		}
		api.Where = inner.where
		inner.endpoint("endpoint", &api.Endpoint)
	})
}

// masters reads the pinned list. An empty one would pin a cluster without
// masters: no one means that.
func (b *block) masters(name string, dst *[]string) {
	list, ok := b.texts(name)
	if ok && len(list) == 0 {
		b.empty(name, b.where.At(name))
		return
	}
	if ok {
		*dst = list
	}
}

func (b *block) ssh(s *SSH) {
	s.Where = b.where
	b.text("user", &s.User)
	choice(b, "become", &s.Become, BecomeNone, BecomeSudo)
	b.path("known_hosts", &s.KnownHosts)
	b.path("identity_file", &s.IdentityFile)
	number(b, "port", &s.Port, ports)
}

func (b *block) calico(c *Calico) {
	c.Where = b.where
	b.version("version", &c.Version)
	number(b, "as_number", &c.ASNumber, asNumbers)
	number(b, "block_size", &c.BlockSize, blockSizes)
}

func (b *block) bigip() BigIP {
	f5 := BigIP{Where: b.where, Name: b.name, Manage: ManageManual}
	b.address("peer_address", &f5.PeerAddress)
	number(b, "as_number", &f5.ASNumber, asNumbers)
	b.secret("password", &f5.Password)
	choice(b, "manage", &f5.Manage, ManageManual, ManageSSH)
	b.cidrs("accept", &f5.Accept)
	return f5
}

func (b *block) capacity(c *Capacity) {
	c.Where = b.where
	choice(b, "profile", &c.Profile, "lean", "standard", "large")
	number(b, "tolerate", &c.Tolerate, counts)
	names := map[string]diag.Range{}
	b.each(map[string]diag.Range{}, func(inner *block, _ bool) {
		w := Workload{Where: inner.where, Name: inner.name}
		number(inner, "replicas", &w.Replicas, counts)
		inner.cpu("cpu", &w.CPU)
		inner.memory("memory", &w.Memory)
		b.d.unique(names, inner.spec.kind, w.Name, w.Where)
		c.Workloads = append(c.Workloads, w)
	})
}

func (b *block) host(r Role) Host {
	h := Host{Where: b.where, Role: r, Name: b.name}
	b.address("address", &h.Address)
	b.failureDomain("failure_domain", &h.FailureDomain)
	b.labels("labels", &h.Labels)
	return h
}
