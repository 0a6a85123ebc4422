package inventory

import (
	"net/netip"

	"github.com/droverctl/drover/inventory/diag"
)

// Cluster is one whole inventory. Lists keep the order of the inventory: its
// files by name, each from top to bottom.
type Cluster struct {
	Where       Where
	Name        string
	Kubernetes  string   // version; empty: the newest that drover supports
	Masters     []string // the complete list of masters, pinned; empty when the inventory does not pin it
	PodCIDR     netip.Prefix
	ServiceCIDR netip.Prefix
	API         API
	SSH         SSH
	Calico      Calico
	Capacity    Capacity
	BigIPs      []BigIP
	KubeMasters []Host
	KubeNodes   []Host

	sources sources
}

// API is how the nodes reach the API servers.
type API struct {
	Where    Where
	Endpoint string // host:port; empty: a load balancer on every node
}

// SSH is how drover reaches the hosts. What is empty is left to ssh_config,
// and then to ssh's own defaults, so that `ssh HOST` and drover agree.
type SSH struct {
	Where        Where
	User         string
	Become       Become
	KnownHosts   string
	IdentityFile string
	Port         int
}

// Become is how drover becomes root on a host.
type Become string

// The ways to become root; BecomeNone means that the SSH user is root.
const (
	BecomeNone Become = "none"
	BecomeSudo Become = "sudo"
)

// Calico is the pod network.
type Calico struct {
	Where     Where
	Version   string // empty: the one that drover supports with the Kubernetes version
	ASNumber  uint32 // of the cluster
	BlockSize int    // prefix length of a node's share of the pod network
}

// BigIP is one F5 BIG-IP the cluster exchanges routes with.
type BigIP struct {
	Where       Where
	Name        string
	PeerAddress netip.Addr
	ASNumber    uint32 // the cluster's own unless written: iBGP
	Password    Secret
	Manage      Manage
	Accept      []netip.Prefix // what nodes may learn from it
}

// Manage is who configures a BIG-IP's side.
type Manage string

// ManageManual prints what to configure; ManageSSH does it.
const (
	ManageManual Manage = "manual"
	ManageSSH    Manage = "ssh"
)

// Capacity is what the cluster must be able to hold.
type Capacity struct {
	Where     Where
	Profile   string
	Tolerate  int // failure domains that may be lost; see Where.Written for whether it was asked for
	Workloads []Workload
}

// Workload is one promised load.
type Workload struct {
	Where    Where
	Name     string
	Replicas int
	CPU      MilliCPU
	Memory   Bytes
}

// MilliCPU is processor time in thousandths of a core, Bytes is memory.
type (
	MilliCPU int64
	Bytes    int64
)

// Role is what a host is in the cluster; its text is the block's name.
type Role string

// The roles of a host.
const (
	RoleMaster Role = "kube_master"
	RoleNode   Role = "kube_node"
)

// Host is a machine: a kube_master or a kube_node.
type Host struct {
	Where         Where
	Role          Role
	Name          string
	Address       netip.Addr
	FailureDomain string
	Labels        map[string]string
}

// Hosts is every machine: masters, then nodes.
func (c *Cluster) Hosts() []Host {
	return append(append(make([]Host, 0, len(c.KubeMasters)+len(c.KubeNodes)), c.KubeMasters...), c.KubeNodes...)
}

// Quote fills in the source lines of problems found after loading, so that
// they are shown like those found by Load; lines that hold a secret stay out.
func (c *Cluster) Quote(ps diag.Problems) { c.sources.quote(ps) }
