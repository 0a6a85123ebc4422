package inventory

import (
	"maps"
	"slices"
)

// What the hosts run, and how drover gets it and them there.

// SSH is how drover reaches the hosts. What is empty is left to ssh_config,
// and then to ssh's own defaults, so that `ssh HOST` and drover agree.
type SSH struct {
	Where          Where  `json:"-"`
	Address        string `json:"address,omitempty"` // where to connect when it is not the machine's own address: a BIG-IP's management
	User           string `json:"user,omitempty"`
	Become         Become `json:"become"`
	BecomePassword Secret `json:"become_password,omitzero"` // what sudo asks for
	KnownHosts     string `json:"known_hosts,omitempty"`
	HostKey        string `json:"host_key,omitempty"` // pinned, as a known_hosts line has it: type and key
	ConfigFile     string `json:"config_file,omitempty"`
	IdentityFile   string `json:"identity_file,omitempty"`
	Port           int    `json:"port,omitempty"`
	Jump           string `json:"jump,omitempty"` // [user@]host[:port]
}

// Become is how drover becomes root on a host.
type Become string

// The ways to become root; BecomeNone means that the SSH user is root.
const (
	BecomeNone Become = "none"
	BecomeSudo Become = "sudo"
)

// Artifacts is where components come from.
type Artifacts struct {
	Where        Where  `json:"-"`
	Mirror       string `json:"mirror,omitempty"`   // URL that holds MIRROR/HOST/PATH for upstream's https://HOST/PATH; empty: upstream
	Registry     string `json:"registry,omitempty"` // host[:port] that stands for every image registry; empty: upstream
	RegistryHTTP bool   `json:"registry_http"`      // the registry speaks no TLS
	Lock         string `json:"lock"`               // file of digests beside those compiled in; it need not exist
	Pull         Pull   `json:"pull"`
	FanOut       bool   `json:"fan_out"` // hosts that have a release hand it on to others
	FanOutPort   int    `json:"fan_out_port"`
}

// Pull is who fetches artifacts.
type Pull string

// PullHosts lets each host fetch what it needs; PullPush fetches it here, once, and
// sends it to the hosts over SFTP.
const (
	PullHosts Pull = "hosts"
	PullPush  Pull = "push"
)

// Component is a part of which only the version is chosen.
type Component struct {
	Where   Where  `json:"-"`
	Version string `json:"version"`
}

// Etcd is the cluster's store.
type Etcd struct {
	Where     Where  `json:"-"`
	Version   string `json:"version"`
	ExtraArgs Args   `json:"extra_args,omitempty"`
}

// Containerd runs the containers.
type Containerd struct {
	Where               Where  `json:"-"`
	Version             string `json:"version"`
	SystemdCgroup       bool   `json:"systemd_cgroup"` // must agree with the kubelet's cgroupDriver
	RestrictOOMScoreAdj bool   `json:"restrict_oom_score_adj"`
}

// Kubelet is the agent on every host.
type Kubelet struct {
	Where     Where    `json:"-"`
	MaxPods   int      `json:"max_pods"`
	Config    Settings `json:"config,omitempty"` // over the KubeletConfiguration that drover makes
	ExtraArgs Args     `json:"extra_args,omitempty"`
}

// KubeProxy makes services reachable on every host.
type KubeProxy struct {
	Where     Where    `json:"-"`
	Config    Settings `json:"config,omitempty"` // over the KubeProxyConfiguration that drover makes
	ExtraArgs Args     `json:"extra_args,omitempty"`
}

// Program is a part of which only flags can be set.
type Program struct {
	Where     Where `json:"-"`
	ExtraArgs Args  `json:"extra_args,omitempty"`
}

// CoreDNS answers the cluster's names.
type CoreDNS struct {
	Where    Where  `json:"-"`
	Version  string `json:"version"`
	Replicas int    `json:"replicas"`
}

// Calico is the pod network.
type Calico struct {
	Where     Where  `json:"-"`
	Version   string `json:"version"`
	ASNumber  uint32 `json:"as_number"`  // of the cluster
	BlockSize int    `json:"block_size"` // prefix length of a node's share of the pod network
	// MaxBlocksPerHost is how many blocks one host may take; 0 leaves it at Calico's own 20.
	MaxBlocksPerHost int      `json:"max_blocks_per_host,omitempty"`
	Topology         Topology `json:"topology"`
	RouteReflectors  []string `json:"route_reflectors,omitempty"` // hosts; only with that topology
}

// Topology is who speaks BGP with whom inside the cluster.
type Topology string

// The topologies. drover never switches by itself.
const (
	TopologyMesh            Topology = "mesh"
	TopologyRouteReflectors Topology = "route_reflectors"
)

// Settings is a component's configuration as its own file has it, for what
// drover does not model: nested maps and lists of string, bool, int64, float64.
type Settings map[string]any

// Args are flags by name, without dashes. A flag may be given several times.
type Args map[string][]string

// Flags are the arguments for the command line, sorted by name.
func (a Args) Flags() []string {
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		for _, v := range a[name] {
			flags = append(flags, "--"+name+"="+v)
		}
	}
	return flags
}
