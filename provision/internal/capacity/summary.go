package capacity

import (
	"maps"
	"slices"

	"github.com/droverctl/drover/inventory"
)

// Summary is what a cluster has and takes, in numbers. The JSON names are those of
// `drover capacity -o json`; they change only together with its schema version.
type Summary struct {
	Masters  int      `json:"masters"`
	Nodes    int      `json:"nodes"`
	Profile  string   `json:"profile"`
	Tolerate int      `json:"tolerate"` // failure domains that may be lost
	Domains  []Domain `json:"failure_domains"`

	Addresses Addresses `json:"addresses"`
	Mesh      int       `json:"mesh_sessions"` // between hosts; 0 without a mesh
	BigIPs    []Peering `json:"bigips"`

	Pods     int  `json:"declared_pods"`
	Declared Room `json:"declared"` // what they ask for
	// Allocatable is what pods may ask for on the hosts looked at that take ordinary
	// ones, without what DaemonSets ask for; none before tier 1.
	Allocatable *Room `json:"allocatable,omitempty"`
	// Running is what pods ask for that are not a DaemonSet's; none where no cluster
	// was asked.
	Running *Room `json:"running,omitempty"`

	// What finds a place of what is declared, and of what runs; none before tier 1.
	DeclaredFit *FitSummary `json:"declared_fit,omitempty"`
	RunningFit  *FitSummary `json:"running_fit,omitempty"`
}

// FitSummary is what finds a place.
type FitSummary struct {
	Pods   int  `json:"pods"`   // that ask for one, without DaemonSets'
	Placed int  `json:"placed"` // of them, in whatever order they come
	Exact  bool `json:"exact"`  // the scheduler places no more
	// Without are the failure domains whose loss leaves the least, Left what is placed
	// then, and Tried whether the loss of all others that may be was tried.
	Without []string `json:"without"`
	Left    int      `json:"left"`
	Tried   bool     `json:"tried"`
	// Unseen are hosts of which nothing is known: nothing was placed there.
	Unseen int `json:"unseen,omitempty"`
	// Workloads are those declared; of what runs, those of which some pods find no place.
	Workloads []WorkloadFit `json:"workloads"`
}

// WorkloadFit is what finds a place of one workload.
type WorkloadFit struct {
	Name   string `json:"name"`
	Pods   int    `json:"pods"`
	Placed int    `json:"placed"` // in the worst order that was found
	More   int    `json:"more"`   // for how many more of it alone there would be room
	Why    string `json:"why,omitempty"`
}

func (f *Fit) summary(all bool) *FitSummary {
	if f == nil {
		return nil
	}
	s := &FitSummary{
		Pods: f.All.Wanted, Placed: f.All.Placed, Exact: f.All.Exact, Without: append([]string{}, f.Loss.Domains...),
		Left: f.Loss.Result.Placed, Tried: f.Loss.All, Unseen: f.unseen, Workloads: []WorkloadFit{},
	}
	for i, o := range f.All.Workloads {
		if !o.DaemonSet && (all || o.Missing > 0) {
			s.Workloads = append(s.Workloads, WorkloadFit{o.Workload, o.Placed + o.Missing, o.Placed, f.More[i], o.Why})
		}
	}
	return s
}

// Domain is what fails as a whole.
type Domain struct {
	Name        string `json:"name"` // "" of hosts that do not say
	Masters     int    `json:"masters"`
	Nodes       int    `json:"nodes"`
	Allocatable *Room  `json:"allocatable,omitempty"`
	// Running is what pods of these hosts ask for that are not a DaemonSet's; none
	// where no cluster was asked.
	Running *Room `json:"running,omitempty"`
}

// Addresses are those of pods and services.
type Addresses struct {
	PodCIDR     string `json:"pod_cidr"`
	Pods        int64  `json:"pod_addresses"`
	BlockSize   int    `json:"block_size"`
	Blocks      int64  `json:"blocks"`
	BlocksUsed  int64  `json:"blocks_needed"` // by all that hosts may run
	ServiceCIDR string `json:"service_cidr"`
	Services    int64  `json:"service_addresses"`
}

// Peering is what a BIG-IP carries.
type Peering struct {
	Name      string `json:"name"`
	Sessions  int    `json:"sessions"`
	MaxPeers  int    `json:"max_peers,omitempty"` // 0: not known
	Routes    int64  `json:"routes"`
	MaxRoutes int    `json:"max_routes,omitempty"`
}

// Room is CPU and memory.
type Room struct {
	CPU    inventory.MilliCPU `json:"cpu_milli"`
	Memory inventory.Bytes    `json:"memory_bytes"`
	Hosts  int                `json:"hosts,omitempty"` // that it is the sum of
}

func (a Amount) room(hosts int) *Room { return &Room{a.CPU, a.Memory, hosts} }

// Summarize counts what there is.
func Summarize(in Inputs, fits Fits) Summary {
	c := in.Cluster
	s := Summary{
		Masters: len(c.KubeMasters), Nodes: len(c.KubeNodes), Profile: c.Capacity.Profile, Tolerate: c.Capacity.Tolerate,
		Addresses: Addresses{
			PodCIDR: c.PodCIDR.String(), Pods: int64(1) << (32 - c.PodCIDR.Bits()), BlockSize: c.Calico.BlockSize,
			Blocks: int64(1) << (c.Calico.BlockSize - c.PodCIDR.Bits()), BlocksUsed: allBlocks(c),
			ServiceCIDR: c.ServiceCIDR.String(), Services: int64(1) << (32 - c.ServiceCIDR.Bits()),
		},
		BigIPs: []Peering{}, Pods: replicas(c),
	}
	if n := len(c.Hosts()); c.Calico.Topology == inventory.TopologyMesh {
		s.Mesh = n * (n - 1) / 2
	}
	for _, f5 := range c.BigIPs {
		s.BigIPs = append(s.BigIPs, Peering{f5.Name, len(c.Hosts()), f5.MaxPeers, allBlocks(c) + 1, f5.MaxRoutes})
	}
	s.Declared = *in.asked().room(0)
	if in.Running != nil {
		s.Running = in.Running.room(0)
	}
	s.Domains, s.Allocatable = in.heard().domains()
	s.DeclaredFit, s.RunningFit = fits.Declared.summary(true), fits.Running.summary(false)
	return s
}

// domains are the failure domains, by name, and what there is of room in all of them.
func (in Inputs) domains() ([]Domain, *Room) {
	by := map[string]*Domain{}
	var sum Amount
	hosts := 0
	for _, h := range in.Cluster.Hosts() {
		d := by[h.FailureDomain]
		if d == nil {
			d = &Domain{Name: h.FailureDomain}
			by[h.FailureDomain] = d
		}
		if h.Role == inventory.RoleMaster {
			d.Masters++
		} else {
			d.Nodes++
		}
		if closed(h) || len(in.known([]inventory.Host{h})) == 0 {
			continue
		}
		_, left := in.allocatable(h)
		if d.Allocatable == nil {
			d.Allocatable = &Room{}
		}
		d.Allocatable = Amount{d.Allocatable.CPU, d.Allocatable.Memory}.plus(left).room(d.Allocatable.Hosts + 1)
		sum, hosts = sum.plus(left), hosts+1
		if in.RunningOn == nil {
			continue
		}
		if d.Running == nil {
			d.Running = &Room{}
		}
		d.Running = Amount{d.Running.CPU, d.Running.Memory}.plus(in.RunningOn[h.Name]).room(0)
	}
	out := []Domain{}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[name])
	}
	if hosts == 0 {
		return out, nil
	}
	return out, sum.room(hosts)
}
