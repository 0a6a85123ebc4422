package ospackage

import "github.com/droverctl/drover/inventory"

// Package is one package, known by a program of it.
type Package struct {
	Name    string // Debian's
	Command string
	Why     string // what uses it
	Service string // that it starts when it is installed, and that drover has no use for
	// Optional is one that only people miss.
	Optional bool
}

// Of are the packages that a host of the cluster needs.
func Of(c *inventory.Cluster) []Package {
	need := []Package{
		{Name: "iproute2", Command: "ip", Why: "drover reads addresses and routes with it"},
		{Name: "procps", Command: "sysctl", Why: "drover sets the kernel's settings with it"},
	}
	switch c.KubeProxy.Config["mode"] {
	case nil, "nftables":
		need = append(need, Package{Name: "nftables", Command: "nft", Why: "kube-proxy writes its rules with it"})
	case "iptables":
		need = append(need, Package{Name: "iptables", Command: "iptables", Why: "kube-proxy writes its rules with it"})
	}
	if c.API.Endpoint == "" {
		need = append(need, Package{Name: "haproxy", Command: "haproxy", Service: "haproxy.service", Why: "it is the host's own way to the API servers"})
	}
	if c.Artifacts.FanOut {
		need = append(need, Package{Name: "curl", Command: "curl", Why: "hosts fetch releases from each other with it"})
	}
	// kube-proxy tidies the kernel's table of connections by itself since 1.32.
	return append(need, Package{Name: "conntrack", Command: "conntrack", Why: "nothing else shows the connections that kube-proxy has translated", Optional: true})
}

// Commands are the packages' programs.
func Commands(packages []Package) []string {
	names := make([]string, len(packages))
	for i, p := range packages {
		names[i] = p.Command
	}
	return names
}
