package inventory_test

import (
	"net/netip"
	"testing"

	"github.com/droverctl/drover/inventory"
)

// The example is what the lab's documentation and its tests start from.
func TestLabExample(t *testing.T) {
	c, problems := inventory.Load("../examples/lab/inventory.hcl")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := map[string]string{}
	for _, h := range c.Hosts() {
		got[h.Name] = string(h.Role) + " " + h.Address.String() + " " + h.FailureDomain
	}
	for _, f5 := range c.BigIPs {
		got[f5.Name] = f5.PeerAddress.String() + " " + string(f5.Manage)
	}
	want := map[string]string{
		"kube-master-1": "kube_master 10.90.0.11 esx-01",
		"kube-master-2": "kube_master 10.90.0.12 esx-02",
		"kube-master-3": "kube_master 10.90.0.13 esx-03",
		"kube-node-1":   "kube_node 10.90.0.21 esx-01",
		"kube-node-2":   "kube_node 10.90.0.22 esx-02",
		"f5-a":          "10.90.0.5 ssh",
		"f5-b":          "10.90.0.6 ssh",
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: got %q, want %q", name, got[name], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if c.Name != "lab" || c.PodCIDR != netip.MustParsePrefix("10.100.0.0/16") || c.ServiceCIDR != netip.MustParsePrefix("10.101.0.0/16") {
		t.Errorf("cluster %q with %s and %s", c.Name, c.PodCIDR, c.ServiceCIDR)
	}
	if c.BigIPs[0].ASNumber != c.Calico.ASNumber || c.BigIPs[1].ASNumber == c.Calico.ASNumber {
		t.Errorf("want iBGP with f5-a and eBGP with f5-b: %d, %d in AS %d", c.BigIPs[0].ASNumber, c.BigIPs[1].ASNumber, c.Calico.ASNumber)
	}
	if ps := c.ReadyToProvision(); len(ps) > 0 {
		t.Error(ps)
	}
	if c.Artifacts.Mirror != "http://10.90.0.252" || c.Artifacts.Registry != "10.90.0.252:5000" || c.Artifacts.Lock != "../examples/lab/artifacts.lock.json" {
		t.Errorf("artifacts %+v", c.Artifacts)
	}
	if got := c.KubeNodes[0].Kubelet.Config["cgroupDriver"]; got != "cgroupfs" || c.Containerd.SystemdCgroup {
		t.Errorf("cgroupDriver %v, systemd_cgroup %v", got, c.Containerd.SystemdCgroup)
	}
	if c.SSH.User != "ops" || c.SSH.Become != inventory.BecomeSudo {
		t.Errorf("ssh %+v", c.SSH)
	}
}

// The second example shows the breadth of the language.
func TestProductionExample(t *testing.T) {
	t.Setenv("DROVER_VAR_bgp_password", "correct horse")
	c, problems := inventory.Load("../examples/production")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if ps := c.ReadyToProvision(); len(ps) > 0 {
		t.Error(ps)
	}
	var got []string
	domains := map[string]int{}
	for _, h := range c.Hosts() {
		got = append(got, h.Name+" "+h.Address.String())
		domains[h.FailureDomain]++
	}
	if len(got) != 15 || got[3] != "kube-node-01 10.20.0.21" || got[12] != "kube-node-10 10.20.0.30" || got[14] != "kube-gpu-b 10.20.0.42" {
		t.Errorf("hosts %v", got)
	}
	if domains["esx-01"] != 5 || domains["esx-02"] != 6 || domains["esx-03"] != 4 {
		t.Errorf("failure domains %v", domains)
	}
	gpu := c.KubeNodes[11]
	if gpu.Kubelet.MaxPods != 60 || gpu.Kubelet.Config["shutdownGracePeriod"] != "60s" || gpu.Taints[0].String() != "dedicated=gpu:NoSchedule" {
		t.Errorf("%+v", gpu)
	}
	for _, f5 := range c.BigIPs {
		if f5.Password.Reveal() != "correct horse" || f5.ASNumber != 64512 {
			t.Errorf("%+v", f5)
		}
	}
	if f5 := c.BigIPs[0].SSH; f5.Address != "10.30.0.5" || f5.User != "drover" || f5.Jump != c.SSH.Jump {
		t.Errorf("%+v", f5)
	}
}
