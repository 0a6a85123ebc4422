package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/internal/survey"
)

// What somebody else has already.

// port is one that a component listens on.
type port struct {
	number uint16
	at     netip.Addr // unspecified: on all of the host's addresses
	user   string
}

var (
	everywhere = netip.IPv4Unspecified()
	loopback   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// ports are those that the host's components take.
func ports(c *inventory.Cluster, s subject) []port {
	all := []port{
		{manifests.KubeletPort(s.Kubelet.Config), everywhere, "the kubelet"},
		{manifests.KubeletHealthPort, loopback, "the kubelet's health check"},
		{manifests.ProxyMetricsPort, loopback, "kube-proxy's metrics"},
		{manifests.ProxyHealthPort, everywhere, "kube-proxy's health check"},
		{bgpPort, everywhere, "Calico's BIRD (BGP)"},
		{9099, loopback, "Calico's health check"},
	}
	if c.Artifacts.FanOut {
		all = append(all, port{uint16(c.Artifacts.FanOutPort), s.Address, "releases that hosts hand on"})
	}
	if c.API.Endpoint == "" {
		all = append(all, port{manifests.LoadBalancerPort, loopback, "the host's load balancer for the API"})
	}
	if s.Role == inventory.RoleMaster {
		all = append(all,
			port{manifests.APIServerPort, everywhere, "the API server"},
			port{manifests.EtcdClientPort, loopback, "etcd"},
			port{manifests.EtcdClientPort, s.Address, "etcd"},
			port{manifests.EtcdPeerPort, s.Address, "etcd"},
			port{manifests.EtcdMetricsPort, loopback, "etcd's metrics"},
			port{manifests.ControllerManagerPort, loopback, "the controller manager"},
			port{manifests.SchedulerPort, loopback, "the scheduler"})
	}
	return all
}

func portTaken(c *inventory.Cluster, s subject) []Finding {
	var all []Finding
	told := map[netip.AddrPort]bool{}
	for _, p := range ports(c, s) {
		for _, l := range s.facts.Listeners {
			if !clash(p, l.Address) || s.own(l) || passing(l) || told[l.Address] {
				continue
			}
			told[l.Address] = true
			all = append(all, Finding{
				Severity: Fail, Measured: l.Holder(), Wanted: fmt.Sprintf("port %d free for %s", p.number, p.user),
				Text: fmt.Sprintf("port %d, for %s, is taken: %s listens on %s", p.number, p.user, l.Holder(), l.Address),
				Fix:  fmt.Sprintf("have it listen on another port, or stop it (`systemctl disable --now %s`)", stoppable(l)),
			})
		}
	}
	return all
}

// clash reports whether a socket keeps a component from its port.
func clash(p port, taken netip.AddrPort) bool {
	a := taken.Addr().Unmap()
	return p.number == taken.Port() && (a == p.at || a.IsUnspecified() || p.at.IsUnspecified())
}

// own reports whether it is one of drover's components, or of the pods its kubelet
// runs, that listens.
func (s subject) own(l survey.Listener) bool {
	return strings.HasPrefix(l.Exe, "/opt/drover/") || s.ours(l.Unit) || l.Pod && s.ours(manifests.KubeletUnit)
}

// ListenPrefix begins the names of units that listen for the time of a preflight.
const ListenPrefix = "drover-ports-"

// passing tells a listener of a preflight's, or of a run's that hands releases on: both
// end by themselves.
func passing(l survey.Listener) bool {
	return strings.HasPrefix(l.Unit, ListenPrefix) || strings.HasPrefix(l.Unit, fanout.UnitPrefix)
}

func (s subject) ours(unit string) bool {
	return unit != "" && slices.ContainsFunc(s.facts.Units, func(u survey.Unit) bool { return u.Name == unit && u.Ours })
}

func stoppable(l survey.Listener) string {
	if l.Unit == "" {
		return "its unit"
	}
	return l.Unit
}

// Units of those who would do what drover's do. docker and a containerd of the
// system's own share containerd's socket and directory.
var (
	kubelets = []string{
		manifests.KubeletUnit, "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service",
		"k0scontroller.service", "k0sworker.service", "snap.microk8s.daemon-kubelite.service",
	}
	runtimes      = []string{manifests.ContainerdUnit, "docker.service", "cri-docker.service", "crio.service"}
	etcds         = []string{manifests.EtcdUnit}
	controlPlanes = []string{manifests.APIServerUnit, manifests.ControllerManagerUnit, manifests.SchedulerUnit, manifests.KubeProxyUnit}
)

// Units are those to look for.
func Units() []string {
	return slices.Concat(kubelets, runtimes, etcds, controlPlanes, []string{manifests.HAProxyUnit})
}

// foreign tells of units that run, or will at the next boot, and are not drover's.
func foreign(s subject, names []string, what, fix string) []Finding {
	var all []Finding
	for _, u := range s.facts.Units {
		idle := u.Active == "inactive" || u.Active == "failed"
		if !slices.Contains(names, u.Name) || u.Ours || idle && u.Enabled != "enabled" {
			continue
		}
		state := u.Active
		if idle {
			state += ", but starts with the host"
		}
		all = append(all, Finding{
			Severity: Fail, Measured: fmt.Sprintf("%s %s", u.Name, state), Wanted: "none but drover's",
			Text: fmt.Sprintf("%s that drover did not make is there: %s is %s (%s)", what, u.Name, state, u.Fragment),
			Fix:  fmt.Sprintf(fix, u.Name),
		})
	}
	return all
}

const leave = "is it the machine you mean? If what runs there can go, take it out of its cluster, and `systemctl disable --now %s`"

// foreignCluster tells of a host that drover has made part of another cluster, which
// apply refuses whatever is waived.
func foreignCluster(c *inventory.Cluster, s subject) []Finding {
	of := s.facts.Drove.Cluster
	if of == "" || of == c.Name {
		return nil
	}
	return []Finding{{
		Severity: Fail, Measured: of, Wanted: c.Name,
		Text: fmt.Sprintf("it belongs to the cluster %q, not to %q", of, c.Name),
		Fix:  "check the host's address; to take it over, run `drover reset` there with the inventory of its cluster first",
		At:   s.Where.At("address").Ptr(),
	}}
}

func foreignKubelet(_ *inventory.Cluster, s subject) []Finding {
	return foreign(s, kubelets, "a kubelet", leave)
}

func foreignRuntime(_ *inventory.Cluster, s subject) []Finding {
	return foreign(s, runtimes, "a container runtime", "move what it runs elsewhere, and `systemctl disable --now %s`")
}

func foreignEtcd(_ *inventory.Cluster, s subject) []Finding {
	if s.Role != inventory.RoleMaster {
		return nil
	}
	return foreign(s, etcds, "an etcd", leave)
}

func foreignEtcdData(_ *inventory.Cluster, s subject) []Finding {
	if s.Role != inventory.RoleMaster || !s.facts.Left.EtcdData || s.facts.Drove.Etcd || s.member() {
		return nil
	}
	return []Finding{{
		Severity: Fail, Measured: manifests.EtcdDataDir + "/member", Wanted: "none but drover's",
		Text: manifests.EtcdDataDir + " holds the data of an etcd that drover did not make",
		Fix:  fmt.Sprintf("is it the machine you mean? If the data can go, `rm -r %s/member`", manifests.EtcdDataDir),
	}}
}

// foreignKubernetes tells of another control plane. Keys alone may be what an
// earlier run of drover's left when it was killed.
func foreignKubernetes(_ *inventory.Cluster, s subject) []Finding {
	all := foreign(s, controlPlanes, "a component of Kubernetes", leave)
	var files []string
	for _, name := range s.facts.Left.Kubernetes {
		if name != "pki" {
			files = append(files, name)
		}
	}
	if len(files) == 0 || s.facts.Drove.Began || s.member() {
		return all
	}
	list := strings.Join(files, ", ")
	return append(all, Finding{
		Severity: Fail, Measured: list, Wanted: "nothing in /etc/kubernetes",
		Text: fmt.Sprintf("/etc/kubernetes holds what drover did not write: %s", list),
		Fix:  "is it the machine you mean? If it has left its cluster, `kubeadm reset` there, or remove the directory",
	})
}

// calicosCNI is the file Calico writes. containerd takes the first by name.
const calicosCNI = "10-calico.conflist"

func foreignCNI(_ *inventory.Cluster, s subject) []Finding {
	var all []Finding
	for _, name := range s.facts.Left.CNI {
		f := Finding{Severity: Warn, Measured: name, Wanted: calicosCNI + " alone"}
		switch {
		case name == calicosCNI && (s.facts.Drove.Began || s.member()):
			continue
		case name <= calicosCNI:
			f.Severity = Fail
			f.Text = fmt.Sprintf("/etc/cni/net.d has %s, and pods would get their network from it instead of from Calico", name)
		default:
			f.Text = fmt.Sprintf("/etc/cni/net.d has %s, and pods would get their network from it whenever Calico's file is not there", name)
		}
		f.Fix = fmt.Sprintf("`rm %s/%s`, if nothing there needs it", manifests.CNIConfDir, name)
		all = append(all, f)
	}
	return all
}
