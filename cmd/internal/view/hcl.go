package view

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/droverctl/drover/inventory"
)

// inventoryHCL writes a cluster as the inventory that, but for secrets, gives
// the same cluster again. A test holds it to that.
func inventoryHCL(c *inventory.Cluster) []byte {
	f := hclwrite.NewEmptyFile()
	w := writer{f.Body()}
	w.cluster(c)
	w.ssh(c.SSH, inventory.SSH{})
	w.components(c)
	w.capacity(c)
	w.preflight(c)
	w.puppetdb(c.PuppetDB)
	for _, f5 := range c.BigIPs {
		w.bigip(f5, c)
	}
	for _, h := range c.Hosts() {
		w.host(h, c)
	}
	return hclwrite.Format(f.Bytes())
}

// writer writes one body.
type writer struct{ body *hclwrite.Body }

// block begins a block; an empty line parts it from what is before it.
func (w writer) block(kind string, labels ...string) writer {
	if len(w.body.Attributes()) > 0 || len(w.body.Blocks()) > 0 {
		w.body.AppendNewline()
	}
	return writer{w.body.AppendNewBlock(kind, labels).Body()}
}

// set writes an attribute, unless the value is the zero value that means "not
// given".
func (w writer) set(name string, value any) {
	if v := toCTY(value); !v.IsNull() {
		w.body.SetAttributeValue(name, v)
	}
}

func (w writer) cluster(c *inventory.Cluster) {
	b := w.block("cluster", c.Name)
	b.set("kubernetes", c.Kubernetes)
	b.set("masters", c.Masters)
	b.set("pod_cidr", c.PodCIDR.String())
	b.set("service_cidr", c.ServiceCIDR.String())
	api := b.block("api")
	api.set("endpoint", c.API.Endpoint)
	api.set("port", c.API.Port)
}

// ssh writes what s has beyond all.
func (w writer) ssh(s, all inventory.SSH) {
	empty := true
	set := func(name string, value, other any) {
		if value == other {
			return
		}
		if empty {
			w, empty = w.block("ssh"), false
		}
		w.set(name, value)
	}
	set("address", s.Address, all.Address)
	set("user", s.User, all.User)
	set("become", string(s.Become), string(all.Become))
	set("become_password", s.BecomePassword.String(), all.BecomePassword.String())
	set("known_hosts", s.KnownHosts, all.KnownHosts)
	set("config_file", s.ConfigFile, all.ConfigFile)
	set("identity_file", s.IdentityFile, all.IdentityFile)
	set("host_key", s.HostKey, all.HostKey)
	set("jump", s.Jump, all.Jump)
	set("port", s.Port, all.Port)
}

func (w writer) components(c *inventory.Cluster) {
	b := w.block("artifacts")
	b.set("mirror", c.Artifacts.Mirror)
	b.set("registry", c.Artifacts.Registry)
	b.set("registry_http", c.Artifacts.RegistryHTTP)
	b.set("lock", c.Artifacts.Lock)
	b.set("pull", string(c.Artifacts.Pull))
	b.set("fan_out", c.Artifacts.FanOut)
	b.set("fan_out_port", c.Artifacts.FanOutPort)

	b = w.block("etcd")
	b.set("version", c.Etcd.Version)
	b.set("extra_args", c.Etcd.ExtraArgs)
	b = w.block("containerd")
	b.set("version", c.Containerd.Version)
	b.set("systemd_cgroup", c.Containerd.SystemdCgroup)
	b.set("restrict_oom_score_adj", c.Containerd.RestrictOOMScoreAdj)
	w.block("runc").set("version", c.Runc.Version)
	w.block("cni").set("version", c.CNI.Version)
	w.block("pause").set("version", c.Pause.Version)
	w.kubelet(c.Kubelet)
	if len(c.KubeProxy.Config)+len(c.KubeProxy.ExtraArgs) > 0 {
		b = w.block("kube_proxy")
		b.set("config", c.KubeProxy.Config)
		b.set("extra_args", c.KubeProxy.ExtraArgs)
	}
	w.program("apiserver", c.APIServer)
	w.program("controller_manager", c.ControllerManager)
	w.program("scheduler", c.Scheduler)
	b = w.block("coredns")
	b.set("version", c.CoreDNS.Version)
	b.set("replicas", c.CoreDNS.Replicas)
	b = w.block("calico")
	b.set("version", c.Calico.Version)
	b.set("as_number", c.Calico.ASNumber)
	b.set("block_size", c.Calico.BlockSize)
	if c.Calico.MaxBlocksPerHost > 0 {
		b.set("max_blocks_per_host", c.Calico.MaxBlocksPerHost)
	}
	b.set("topology", string(c.Calico.Topology))
	b.set("route_reflectors", c.Calico.RouteReflectors)
}

func (w writer) program(kind string, p inventory.Program) {
	if len(p.ExtraArgs) > 0 {
		w.block(kind).set("extra_args", p.ExtraArgs)
	}
}

func (w writer) kubelet(k inventory.Kubelet) {
	b := w.block("kubelet")
	b.set("max_pods", k.MaxPods)
	b.set("config", k.Config)
	b.set("extra_args", k.ExtraArgs)
}

func (w writer) capacity(c *inventory.Cluster) {
	b := w.block("capacity")
	b.set("profile", c.Capacity.Profile)
	b.body.SetAttributeValue("tolerate", cty.NumberIntVal(int64(c.Capacity.Tolerate)))
	b.set("reservation", c.Capacity.Reservation)
	for _, load := range c.Capacity.Workloads {
		inner := b.block("workload", load.Name)
		inner.body.SetAttributeValue("replicas", cty.NumberIntVal(int64(load.Replicas)))
		inner.set("cpu", fmt.Sprintf("%dm", load.CPU))
		inner.set("memory", memory(load.Memory))
	}
	for _, t := range c.Capacity.Thresholds {
		inner := b.block("threshold", t.Check)
		inner.figure("warn", t.Warn)
		inner.figure("fail", t.Fail)
	}
	b.waivers(c.Capacity.Waivers)
}

func (w writer) waivers(all []inventory.Waiver) {
	for _, waiver := range all {
		inner := w.block("waive", waiver.Check)
		inner.set("hosts", waiver.Hosts)
		inner.set("reason", waiver.Reason)
		inner.set("expires", string(waiver.Expires))
	}
}

// figure writes a number, which may be zero.
func (w writer) figure(name string, n *float64) {
	if n != nil {
		w.body.SetAttributeValue(name, cty.NumberFloatVal(*n))
	}
}

func (w writer) preflight(c *inventory.Cluster) {
	if len(c.Preflight.Waivers) > 0 {
		w.block("preflight").waivers(c.Preflight.Waivers)
	}
	w.block("packages").set("install", c.Packages.Install)
	p := w.block("puppet")
	p.set("disable", c.Puppet.Disable)
	p.set("wait", duration(c.Puppet.Wait))
	p.set("hold", duration(c.Puppet.Hold))
}

func (w writer) puppetdb(p inventory.PuppetDB) {
	if p.URL == "" {
		return
	}
	b := w.block("puppetdb")
	b.set("url", p.URL)
	b.set("cert", p.Cert)
	b.set("key", p.Key)
	b.set("ca", p.CA)
	b.set("cluster", p.Cluster)
	b.set("master_role", p.MasterRole)
	b.set("node_role", p.NodeRole)
	b.set("name", string(p.Name))
	b.set("address", p.Address)
	b.set("failure_domain", p.FailureDomain)
	b.set("max_age", duration(p.MaxAge))
	b.set("host_keys", p.HostKeys)
	b.set("ignore", p.Ignore)
}

// memory is a quantity in its largest whole unit.
func memory(b inventory.Bytes) string {
	for _, u := range []struct {
		name string
		size inventory.Bytes
	}{{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return fmt.Sprint(int64(b))
}

func (w writer) bigip(f5 inventory.BigIP, c *inventory.Cluster) {
	b := w.block("bigip", f5.Name)
	b.set("peer_address", f5.PeerAddress.String())
	b.set("as_number", f5.ASNumber)
	b.set("password", f5.Password.String())
	b.set("manage", string(f5.Manage))
	b.set("wait", duration(f5.Wait))
	b.set("accept", f5.Accept)
	b.set("max_peers", f5.MaxPeers)
	b.set("max_routes", f5.MaxRoutes)
	b.ssh(f5.SSH, c.SSH)
}

// duration is a span of time in its largest whole unit; empty when it is none.
func duration(s inventory.Seconds) string {
	switch {
	case s == 0:
		return ""
	case s%3600 == 0:
		return fmt.Sprintf("%dh", s/3600)
	case s%60 == 0:
		return fmt.Sprintf("%dm", s/60)
	}
	return fmt.Sprintf("%ds", s)
}

func (w writer) host(h inventory.Host, c *inventory.Cluster) {
	b := w.block(string(h.Role), h.Name)
	b.set("address", h.Address.String())
	b.set("failure_domain", h.FailureDomain)
	b.set("certname", h.Certname)
	b.set("labels", h.Labels)
	taints := []string{}
	for _, t := range h.Taints {
		taints = append(taints, t.String())
	}
	if len(taints) > 0 || h.Role == inventory.RoleMaster {
		b.set("taints", taints)
	}
	b.ssh(h.SSH, c.SSH)
	if h.Kubelet.Where.Block != c.Kubelet.Where.Block {
		b.kubelet(h.Kubelet)
	}
}

// toCTY is a value as HCL writes it; null when there is none.
func toCTY(value any) cty.Value {
	null := cty.NullVal(cty.DynamicPseudoType)
	switch v := value.(type) {
	case string:
		if v == "" {
			return null
		}
		return cty.StringVal(v)
	case int:
		if v == 0 {
			return null
		}
		return cty.NumberIntVal(int64(v))
	case uint32:
		return cty.NumberUIntVal(uint64(v))
	case bool:
		return cty.BoolVal(v)
	case []string:
		return texts(v)
	case []netip.Prefix:
		var list []string
		for _, p := range v {
			list = append(list, p.String())
		}
		return texts(list)
	case map[string]string:
		m := map[string]any{}
		for key, text := range v {
			m[key] = text
		}
		return object(m)
	case inventory.Settings:
		return object(v)
	case inventory.Args:
		m := map[string]any{}
		for key, values := range v {
			m[key] = values
			if len(values) == 1 {
				m[key] = values[0]
			}
		}
		return object(m)
	}
	panic(fmt.Sprintf("view: no HCL for %T", value)) // a field was added, and its line here forgotten
}

func texts(list []string) cty.Value {
	if list == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	values := []cty.Value{}
	for _, s := range list {
		values = append(values, cty.StringVal(s))
	}
	return cty.TupleVal(values)
}

func object(m map[string]any) cty.Value {
	if len(m) == 0 {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	values := map[string]cty.Value{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values[key] = setting(m[key])
	}
	return cty.ObjectVal(values)
}

// setting is a value of a free map, where zero values count.
func setting(value any) cty.Value {
	switch v := value.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case []string:
		return texts(v)
	case []any:
		values := []cty.Value{}
		for _, e := range v {
			values = append(values, setting(e))
		}
		return cty.TupleVal(values)
	case map[string]any:
		values := map[string]cty.Value{}
		for key, e := range v {
			values[key] = setting(e)
		}
		return cty.ObjectVal(values)
	}
	panic(fmt.Sprintf("view: no HCL for a setting of %T", value))
}
