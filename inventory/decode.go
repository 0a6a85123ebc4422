package inventory

import (
	"fmt"
	"math"

	"github.com/droverctl/drover/inventory/diag"
)

var (
	asNumbers  = limits{1, math.MaxUint32 - 1, CodeASNumber} // RFC 7607 and 7300 reserve both ends
	blockSizes = limits{20, 32, CodeBlockSize}
	ports      = limits{1, 65535, CodeOutOfRange}
	userPorts  = limits{1024, 65535, CodeOutOfRange} // that need no privileges
	counts     = limits{0, 1_000_000, CodeOutOfRange}
	atLeastOne = limits{1, 1_000_000, CodeOutOfRange}
	podCounts  = limits{1, 1024, CodeOutOfRange}
)

// waits is how long may be waited for somebody to type: below, nobody is fast
// enough; above, the fleet would be kept for nothing.
var waits = span{10, 24 * 60 * 60}

// blocks reads one file's blocks into the cluster, in any order. It never sees
// another file's blocks, because functions count from the file they stand in.
func (d *decoder) blocks(f *block) {
	f.each(d.seen, func(b *block, first bool) {
		c := d.cluster
		if !first {
			c = defaults(d.sources) // a second cluster or ssh block: its mistakes count, its values do not
		}
		switch b.spec.kind {
		case clusterSpec.kind:
			b.cluster(c)
		case sshSpec.kind:
			b.ssh(&c.SSH)
		case artifactsSpec.kind:
			b.artifacts(&c.Artifacts)
		case calicoSpec.kind:
			b.calico(&c.Calico)
		case capacitySpec.kind:
			b.capacity(&c.Capacity)
		case preflightSpec.kind:
			b.preflight(&c.Preflight)
		case packagesSpec.kind:
			c.Packages.Where = b.where
			b.flag("install", &c.Packages.Install)
		case puppetdbSpec.kind:
			b.puppetdb(&c.PuppetDB)
		case puppetSpec.kind:
			b.puppet(&c.Puppet)
		case bigipSpec.kind:
			c.BigIPs = append(c.BigIPs, b.bigip())
		case string(RoleMaster):
			c.KubeMasters = append(c.KubeMasters, b.hosts(RoleMaster)...)
		case string(RoleNode):
			c.KubeNodes = append(c.KubeNodes, b.hosts(RoleNode)...)
		default:
			b.component(c)
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
		number(inner, "port", &api.Port, ports)
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
	b.secret("become_password", &s.BecomePassword)
	b.path("known_hosts", &s.KnownHosts)
	b.path("config_file", &s.ConfigFile)
	b.path("identity_file", &s.IdentityFile)
	b.hostKey("host_key", &s.HostKey)
	b.hostName("address", &s.Address)
	b.jump("jump", &s.Jump)
	number(b, "port", &s.Port, ports)
}

func (b *block) bigip() BigIP {
	f5 := BigIP{Where: b.where, Name: b.name, Manage: ManageManual}
	b.address("peer_address", &f5.PeerAddress)
	number(b, "as_number", &f5.ASNumber, asNumbers)
	b.secret("password", &f5.Password)
	choice(b, "manage", &f5.Manage, ManageManual, ManageSSH)
	b.duration("wait", &f5.Wait, waits)
	if f5.Manage == ManageSSH && b.where.Written("wait") {
		b.d.report(diag.Problem{
			Code: CodeWait, At: b.where.At("wait").Ptr(),
			Summary: fmt.Sprintf("%s is waited for, but nobody has to do anything there", b.title),
			Detail:  "wait is how long apply waits for what an operator enters on a BIG-IP; drover configures this one itself.",
			Fix:     `remove wait, or write manage = "manual"`,
		})
	}
	b.cidrs("accept", &f5.Accept)
	number(b, "max_peers", &f5.MaxPeers, atLeastOne)
	number(b, "max_routes", &f5.MaxRoutes, atLeastOne)
	b.each(map[string]diag.Range{}, func(inner *block, first bool) {
		s := &f5.SSH
		if !first {
			s = &SSH{}
		}
		inner.ssh(s)
	})
	return f5
}

// hosts is the machine of a block or, with for_each, one for each of its rows.
func (b *block) hosts(r Role) []Host {
	var hosts []Host
	b.rows(func(row *block) { hosts = append(hosts, row.host(r)) })
	return hosts
}

func (b *block) host(r Role) Host {
	h := Host{Where: b.where, Role: r, Name: b.name}
	b.address("address", &h.Address)
	b.failureDomain("failure_domain", &h.FailureDomain)
	b.certname("certname", &h.Certname)
	b.labels("labels", &h.Labels)
	b.taints("taints", &h.Taints)
	b.each(map[string]diag.Range{}, func(inner *block, first bool) {
		to := &h
		if !first {
			to = &Host{}
		}
		switch inner.spec.kind {
		case hostSSHSpec.kind:
			inner.ssh(&to.SSH)
		case kubeletSpec.kind:
			inner.kubelet(&to.Kubelet)
		}
	})
	return h
}
