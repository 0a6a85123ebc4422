package manifests

import (
	"fmt"
	"net/netip"
	"strings"
)

// LoadBalancer is the local API load balancer: the OS package's HAProxy with a
// unit, a configuration and a port of drover's own, on every host of a cluster
// without an API endpoint.
type LoadBalancer struct {
	// Masters are all API servers, in the inventory's order.
	Masters []Backend
}

// Backend is one API server.
type Backend struct {
	Name    string
	Address netip.Addr
}

// Files are the unit and its configuration, a change of which is a reload.
func (l LoadBalancer) Files() ([]File, error) {
	if len(l.Masters) == 0 {
		return nil, fmt.Errorf("manifests: load balancer: no masters")
	}
	return collect(
		func() (File, error) { return fixed(HAProxyUnit, UnitDir+"/"+HAProxyUnit, Restart) },
		func() (File, error) {
			text, err := render("haproxy.cfg", struct {
				LoadBalancer
				Port int
				CA   string
			}{l, LoadBalancerPort, cert("ca")})
			return File{HAProxyConfigPath, 0o644, text, Reload}, err
		},
	)
}

// HostPort is the backend's address and port.
func (b Backend) HostPort() string { return netip.AddrPortFrom(b.Address, APIServerPort).String() }

// Backends are the API servers of a configuration, as [LoadBalancer] writes it: who
// is a master where the cluster itself cannot be asked.
func Backends(config string) []Backend {
	var out []Backend
	for line := range strings.Lines(config) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "server" {
			continue
		}
		if at, err := netip.ParseAddrPort(words[2]); err == nil {
			out = append(out, Backend{words[1], at.Addr()})
		}
	}
	return out
}
