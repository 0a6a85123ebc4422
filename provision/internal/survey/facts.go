package survey

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/droverctl/drover/provision/internal/pki"
)

// Facts is what one host is. The JSON names are what `drover facts -o json`
// prints; they change only together with its schema version.
type Facts struct {
	Host   string `json:"host"`
	OS     OS     `json:"os"`
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"` // as uname -m has it
	CPUs   int    `json:"cpus"`
	Memory int64  `json:"memory_bytes"`
	Swap   int64  `json:"swap_bytes"` // that is on
	Clock  Clock  `json:"clock"`
	// Conntrack is how many connections the kernel tracks at most; 0 before it tracks any.
	Conntrack int64 `json:"conntrack_max,omitempty"`
	// Login is the user drover logs in as; with sudo, when that is not root.
	Login string `json:"login"`
	Sudo  bool   `json:"sudo"`

	Hostname    string `json:"hostname"`
	MachineID   string `json:"machine_id,omitempty"`
	ProductUUID string `json:"product_uuid,omitempty"`
	BootID      string `json:"boot_id,omitempty"` // of the kernel: containers of one machine may share it

	// Puppet is the program of that name, where there is one.
	Puppet string `json:"puppet,omitempty"`

	// NetworkSeen says whether interfaces and routes could be looked at.
	NetworkSeen bool        `json:"network_seen"`
	Interfaces  []Interface `json:"interfaces"`
	Routes      []Route     `json:"routes"`
	Listeners   []Listener  `json:"listeners"`
	Nameservers []string    `json:"nameservers"`
	// Resolves says of each name that drover was asked to have looked up whether
	// the host finds it.
	Resolves map[string]bool `json:"resolves,omitempty"`

	Disks    []Disk            `json:"disks"`
	ReadOnly []string          `json:"read_only,omitempty"` // of the directories that drover writes to
	Commands map[string]bool   `json:"commands"`
	Features map[string]Answer `json:"kernel_features"`
	Cgroup   int               `json:"cgroup_version"`

	Units []Unit `json:"units"` // of those that make a node of some cluster, what there is
	Left  Left   `json:"left"`
	Drove Drove  `json:"drover"`
	// Authorities are those whose certificates a member holds.
	Authorities []pki.Description `json:"authorities,omitempty"`
}

// OS is the system, as /etc/os-release has it.
type OS struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Name    string `json:"name"`
}

// Clock is how far the host's clock is ahead of the one here. The truth is within
// Error of Offset: what the way there and back took leaves that open.
type Clock struct {
	Offset time.Duration `json:"offset_ns"`
	Error  time.Duration `json:"error_ns"`
}

// Interface is one of the host's network interfaces.
type Interface struct {
	Name      string         `json:"name"`
	MAC       string         `json:"mac,omitempty"`
	MTU       int            `json:"mtu"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
}

// Route is a line of the main routing table.
type Route struct {
	To        netip.Prefix `json:"to"` // 0.0.0.0/0 is the default
	Via       string       `json:"via,omitempty"`
	Interface string       `json:"interface,omitempty"`
	Proto     string       `json:"proto,omitempty"`
}

// Listener is a TCP socket that waits for connections, and who holds it.
type Listener struct {
	Address netip.AddrPort `json:"address"`
	PID     int            `json:"pid,omitempty"`
	Program string         `json:"program,omitempty"`
	Exe     string         `json:"exe,omitempty"`
	Unit    string         `json:"unit,omitempty"`
	Pod     bool           `json:"pod,omitempty"` // it runs in a pod
}

// Holder is who holds the socket, in words.
func (l Listener) Holder() string {
	switch {
	case l.Program == "":
		return "a program that could not be told"
	case l.Unit == "":
		return fmt.Sprintf("%s (pid %d)", l.Program, l.PID)
	}
	return fmt.Sprintf("%s (pid %d, %s)", l.Program, l.PID, l.Unit)
}

// Disk is what a path has below it.
type Disk struct {
	Path       string `json:"path"`
	Mount      string `json:"mount"`
	Source     string `json:"source"`
	Type       string `json:"type"`
	Size       int64  `json:"size_bytes"`
	Free       int64  `json:"free_bytes"`
	Inodes     int64  `json:"inodes"` // 0: the file system has no such limit
	InodesFree int64  `json:"inodes_free"`
}

// Answer is yes, no, or that it cannot be told.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Features of the kernel.
const (
	Overlay   = "overlay"
	Conntrack = "nf_conntrack"
	NFTables  = "nf_tables"
	IPForward = "ip_forward" // whether it can be set
)

// Unit is a systemd unit that is there.
type Unit struct {
	Name     string `json:"name"`
	Active   string `json:"active"`
	Enabled  string `json:"enabled,omitempty"`
	Fragment string `json:"fragment,omitempty"`
	Ours     bool   `json:"ours"` // drover wrote it, or noted that it started it
}

// Left is what clusters leave behind, drover's own or another.
type Left struct {
	Kubernetes []string `json:"kubernetes,omitempty"` // entries of /etc/kubernetes
	CNI        []string `json:"cni,omitempty"`        // configuration files
	EtcdData   bool     `json:"etcd_data"`
}

// Drove is what drover did here before.
type Drove struct {
	// Member says that the host is part of a cluster of drover's, Cluster of which.
	Member  bool   `json:"member"`
	Cluster string `json:"cluster,omitempty"`
	// Began says that drover has written something here.
	Began bool `json:"began"`
	// Etcd says that the etcd here is drover's.
	Etcd bool `json:"etcd"`
}
