package inventory

import (
	"maps"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
)

// lockFile is the lock file's name when the inventory gives none; it stands
// beside the file that holds the cluster block.
const lockFile = "artifacts.lock.json"

// manualWait is how long an operator is given to enter what a BIG-IP needs.
const manualWait Seconds = 10 * 60

// masterTaint keeps ordinary pods off the masters.
var masterTaint = Taint{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}

// defaults is what an inventory that says nothing gets. The versions are those
// that were proven to work together; TestDefaultVersions holds them to what the
// lab builds.
func defaults(s sources) *Cluster {
	return &Cluster{
		Kubernetes:  "1.37.2",
		PodCIDR:     netip.MustParsePrefix("10.100.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		API:         API{Port: 6443},
		SSH:         SSH{Become: BecomeNone},
		Artifacts:   Artifacts{Pull: PullHosts, FanOutPort: 10270},
		Etcd:        Etcd{Version: "3.6.16"},
		Containerd:  Containerd{Version: "2.2.9", SystemdCgroup: true},
		Runc:        Component{Version: "1.3.6"},
		CNI:         Component{Version: "1.9.1"},
		Pause:       Component{Version: "3.10.1"},
		Kubelet:     Kubelet{MaxPods: 110},
		CoreDNS:     CoreDNS{Version: "1.14.7", Replicas: 2},
		Calico:      Calico{Version: "3.30.1", ASNumber: 64512, BlockSize: 26, Topology: TopologyMesh},
		Capacity:    Capacity{Profile: "standard"},
		Puppet:      Puppet{Disable: true, Wait: 5 * 60, Hold: 60 * 60},
		sources:     s,
	}
}

// fill gives what depends on other values: those of hosts and BIG-IPs that are
// the cluster's unless written.
func (d *decoder) fill(c *Cluster) {
	if c.Where.Block.File == "" { // there is none; what it would have said has no better place
		c.Where.Block = d.start
	}
	for _, w := range c.wheres() {
		if w.Block.File == "" {
			w.Block = c.Where.Block
		}
	}
	if !c.Artifacts.Where.Written("lock") {
		c.Artifacts.Lock = filepath.Join(filepath.Dir(c.Where.Block.File), lockFile)
	}
	if c.PuppetDB.URL != "" && !c.PuppetDB.Where.Written("cluster") {
		c.PuppetDB.Cluster = c.Name
	}
	for i := range c.BigIPs {
		f5 := &c.BigIPs[i]
		if !f5.Where.Written("as_number") {
			f5.ASNumber = c.Calico.ASNumber
		}
		if f5.Manage == ManageManual && !f5.Where.Written("wait") {
			f5.Wait = manualWait
		}
		f5.SSH = f5.SSH.over(c.SSH)
	}
	for _, hosts := range [][]Host{c.KubeMasters, c.KubeNodes} {
		for i := range hosts {
			h := &hosts[i]
			h.SSH, h.Kubelet = h.SSH.over(c.SSH), h.Kubelet.over(c.Kubelet)
			if h.Role == RoleMaster && !h.Where.Written("taints") {
				h.Taints = []Taint{masterTaint}
			}
		}
	}
	// One master tolerates no loss, and three that shall not is a choice.
	if !c.Capacity.Where.Written("tolerate") && len(c.KubeMasters) >= 3 {
		c.Capacity.Tolerate = 1
	}
}

// wheres are those of the blocks that may be missing from an inventory.
func (c *Cluster) wheres() []*Where {
	return []*Where{
		&c.API.Where, &c.SSH.Where, &c.Artifacts.Where, &c.Etcd.Where, &c.Containerd.Where, &c.Runc.Where,
		&c.CNI.Where, &c.Pause.Where, &c.Kubelet.Where, &c.KubeProxy.Where, &c.APIServer.Where,
		&c.ControllerManager.Where, &c.Scheduler.Where, &c.CoreDNS.Where, &c.Calico.Where, &c.Capacity.Where, &c.Preflight.Where, &c.Packages.Where, &c.Puppet.Where,
	}
}

// over is s for one machine, with what it does not say taken from all.
func (s SSH) over(all SSH) SSH {
	merged := all
	merged.Where = s.Where.over(all.Where)
	merged.Address, merged.HostKey = s.Address, s.HostKey
	for name, take := range map[string]func(){
		"user":            func() { merged.User = s.User },
		"become":          func() { merged.Become = s.Become },
		"become_password": func() { merged.BecomePassword = s.BecomePassword },
		"port":            func() { merged.Port = s.Port },
		"identity_file":   func() { merged.IdentityFile = s.IdentityFile },
		"jump":            func() { merged.Jump = s.Jump },
	} {
		if s.Where.Written(name) {
			take()
		}
	}
	return merged
}

// over is k for one host; its settings and flags win one by one.
func (k Kubelet) over(all Kubelet) Kubelet {
	merged := Kubelet{
		Where: k.Where.over(all.Where), MaxPods: all.MaxPods,
		Config: k.Config.over(all.Config), ExtraArgs: maps.Clone(all.ExtraArgs),
	}
	if k.Where.Written("max_pods") {
		merged.MaxPods = k.MaxPods
	}
	for name, values := range k.ExtraArgs {
		if merged.ExtraArgs == nil {
			merged.ExtraArgs = Args{}
		}
		merged.ExtraArgs[name] = slices.Clone(values)
	}
	return merged
}

// over merges maps within maps; what else there is replaces.
func (s Settings) over(all Settings) Settings {
	if len(s) == 0 {
		return all
	}
	merged := maps.Clone(all)
	if merged == nil {
		merged = Settings{}
	}
	for key, v := range s {
		upper, isMap := v.(map[string]any)
		lower, wasMap := merged[key].(map[string]any)
		if isMap && wasMap {
			v = map[string]any(Settings(upper).over(lower))
		}
		merged[key] = v
	}
	return merged
}

// over is the places of a block that was laid over another.
func (w Where) over(all Where) Where {
	if w.Block.File == "" {
		return all
	}
	merged := Where{Block: w.Block, Attrs: maps.Clone(all.Attrs)}
	if merged.Attrs == nil {
		merged.Attrs = map[string]diag.Range{}
	}
	maps.Copy(merged.Attrs, w.Attrs)
	return merged
}
