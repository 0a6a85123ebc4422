package inventory

import (
	"net/netip"
	"time"

	"github.com/droverctl/drover/inventory/diag"
)

// Cluster is one whole inventory, resolved: variables and rows are gone, what
// was not written has its default. Lists keep the order of the inventory: its
// files by name, each from top to bottom.
//
// The JSON names are what `drover inventory show -o json` prints; they change
// only together with its schema version.
type Cluster struct {
	Where       Where        `json:"-"`
	Name        string       `json:"name"`
	Kubernetes  string       `json:"kubernetes"` // version
	Masters     []string     `json:"masters"`    // the complete list of masters, pinned; see ReadyToProvision
	PodCIDR     netip.Prefix `json:"pod_cidr"`
	ServiceCIDR netip.Prefix `json:"service_cidr"`
	API         API          `json:"api"`
	SSH         SSH          `json:"ssh"`
	Artifacts   Artifacts    `json:"artifacts"`

	Etcd              Etcd       `json:"etcd"`
	Containerd        Containerd `json:"containerd"`
	Runc              Component  `json:"runc"`
	CNI               Component  `json:"cni"`
	Pause             Component  `json:"pause"`
	Kubelet           Kubelet    `json:"kubelet"` // of hosts that say nothing else
	KubeProxy         KubeProxy  `json:"kube_proxy"`
	APIServer         Program    `json:"apiserver"`
	ControllerManager Program    `json:"controller_manager"`
	Scheduler         Program    `json:"scheduler"`
	CoreDNS           CoreDNS    `json:"coredns"`
	Calico            Calico     `json:"calico"`

	Capacity    Capacity  `json:"capacity"`
	Preflight   Preflight `json:"preflight"`
	Packages    Packages  `json:"packages"`
	PuppetDB    PuppetDB  `json:"puppetdb,omitzero"`
	Puppet      Puppet    `json:"puppet"`
	BigIPs      []BigIP   `json:"bigips"`
	KubeMasters []Host    `json:"kube_masters"`
	KubeNodes   []Host    `json:"kube_nodes"`

	sources sources
}

// API is how the API servers are reached.
type API struct {
	Where    Where  `json:"-"`
	Endpoint string `json:"endpoint,omitempty"` // host:port; empty: a load balancer on every node
	Port     int    `json:"port"`               // that API servers listen on
}

// BigIP is one F5 BIG-IP the cluster exchanges routes with.
type BigIP struct {
	Where       Where          `json:"-"`
	Name        string         `json:"name"`
	PeerAddress netip.Addr     `json:"peer_address"`
	ASNumber    uint32         `json:"as_number"` // the cluster's own unless written: iBGP
	Password    Secret         `json:"password,omitzero"`
	Manage      Manage         `json:"manage"`
	Wait        Seconds        `json:"wait_seconds,omitempty"` // for its sessions, where it is managed by hand
	Accept      []netip.Prefix `json:"accept,omitempty"`       // what nodes may learn from it
	MaxPeers    int            `json:"max_peers,omitempty"`    // BGP sessions it can hold; 0: not known
	MaxRoutes   int            `json:"max_routes,omitempty"`   // 0: not known
	SSH         SSH            `json:"ssh"`                    // how its routing shell is reached, resolved
}

// Manage is who configures a BIG-IP's side.
type Manage string

// ManageManual prints what to configure and waits for it; ManageSSH does it.
const (
	ManageManual Manage = "manual"
	ManageSSH    Manage = "ssh"
)

// Seconds is a span of time.
type Seconds int64

// Duration is the same for Go.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Capacity is what the cluster must be able to hold.
type Capacity struct {
	Where    Where  `json:"-"`
	Profile  string `json:"profile"`
	Tolerate int    `json:"tolerate"` // failure domains that may be lost; see Where.Written for whether it was asked for
	// Reservation is the model by which kubelets keep back what is not for pods; "" and
	// "none" leave that to what is said of the kubelet.
	Reservation string     `json:"reservation,omitempty"`
	Workloads   []Workload `json:"workloads,omitempty"`
	// Thresholds are set instead of drover's, Waivers are of checks that FAIL or warn
	// and are borne.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	Waivers    []Waiver    `json:"waivers,omitempty"`
}

// Reserves reports whether kubelets keep back what a model says.
func (c Capacity) Reserves() bool { return c.Reservation != "" && c.Reservation != "none" }

// Workload is one promised load.
type Workload struct {
	Where    Where    `json:"-"`
	Name     string   `json:"name"`
	Replicas int      `json:"replicas"`
	CPU      MilliCPU `json:"cpu_milli"`
	Memory   Bytes    `json:"memory_bytes"`
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
	Where         Where             `json:"-"`
	Role          Role              `json:"role"`
	Name          string            `json:"name"`
	Address       netip.Addr        `json:"address"`
	FailureDomain string            `json:"failure_domain,omitempty"`
	Certname      string            `json:"certname,omitempty"` // in Puppet: whose facts speak for the host
	Labels        map[string]string `json:"labels,omitempty"`
	Taints        []Taint           `json:"taints,omitempty"` // a master's own unless written
	SSH           SSH               `json:"ssh"`              // the cluster's with the host's own over it
	Kubelet       Kubelet           `json:"kubelet"`          // likewise
}

// Taint keeps pods that do not tolerate it off a host.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// String is the taint as kubectl writes it.
func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// Hosts is every machine: masters, then nodes.
func (c *Cluster) Hosts() []Host {
	return append(append(make([]Host, 0, len(c.KubeMasters)+len(c.KubeNodes)), c.KubeMasters...), c.KubeNodes...)
}

// Quote fills in the source lines of problems found after loading, so that
// they are shown like those found by Load; lines that hold a secret stay out.
func (c *Cluster) Quote(ps diag.Problems) { c.sources.quote(ps) }
