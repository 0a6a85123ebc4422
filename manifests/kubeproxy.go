package manifests

import "net/netip"

// KubeProxy is one kube-proxy.
type KubeProxy struct {
	Service
	NodeName string
	PodCIDR  netip.Prefix
	// ConntrackMaxPerCore is the share of the kernel's connection table per
	// core; nil is Kubernetes' 32768, 0 leaves the kernel's limit alone.
	ConntrackMaxPerCore *int

	// Config is laid over the KubeProxyConfiguration rendered here.
	Config Object
}

// Files are the unit and the KubeProxyConfiguration.
func (p KubeProxy) Files() ([]File, error) { return collect(p.Unit, p.Settings) }

// Unit is the unit.
func (p KubeProxy) Unit() (File, error) {
	return renderUnit(KubeProxyUnit, p.Service, args{"config": KubeProxyConfigPath, "hostname-override": p.NodeName}, 30)
}

// Settings are the KubeProxyConfiguration: the same on all hosts.
func (p KubeProxy) Settings() (File, error) {
	c := Object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"clientConnection":   Object{"kubeconfig": KubeProxyKubeconfig},
		"mode":               "nftables", // iptables mode slows down with every service
		"clusterCIDR":        p.PodCIDR.String(),
		"detectLocalMode":    "ClusterCIDR",
		"metricsBindAddress": "127.0.0.1:10249",
	}
	if p.ConntrackMaxPerCore != nil {
		c["conntrack"] = Object{"maxPerCore": *p.ConntrackMaxPerCore}
	}
	return configFile(KubeProxyConfigPath, c, p.Config)
}
