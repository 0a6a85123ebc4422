package provision

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/pki"
)

// Kubeconfig is a kubeconfig for the cluster's operator: a secret, with a
// certificate made for it. It goes to the inventory's endpoint, or where there is
// none to the first master whose API server is ready: one that was reached may be none
// any more.
func (s *Session) Kubeconfig(ctx context.Context) ([]byte, error) {
	if s.verdict.Standing != identity.Existing {
		return nil, fmt.Errorf("there is no cluster %q yet: `drover apply` makes it", s.Cluster.Name)
	}
	server := s.Cluster.API.Endpoint
	if server == "" {
		server = netip.AddrPortFrom(s.serving(ctx).Address, uint16(s.Cluster.API.Port)).String() //nolint:gosec // a validated port
	}
	name := "operator"
	if u, err := user.Current(); err == nil {
		name = u.Username // so that the audit log tells operators apart
	}
	ca := s.access.Bundle.Authority(pki.ClusterCA)
	cert, key, err := ca.Issue(pki.OperatorLeaf(name), s.options.Now())
	if err != nil {
		return nil, err
	}
	return pki.Kubeconfig{
		Cluster: s.Cluster.Name, Server: "https://" + server, User: name,
		CA: ca.CertPEM(), Cert: cert, Key: key,
	}.File()
}

// serving is a master to go to: one whose API server is ready, or else one that was
// reached.
func (s *Session) serving(ctx context.Context) inventory.Host {
	masters := s.Cluster.KubeMasters
	for _, fits := range []func(inventory.Host) bool{
		func(m inventory.Host) bool { return s.Away[m.Name] == nil && s.access.Ready(ctx, m.Name) == nil },
		func(m inventory.Host) bool { return s.Away[m.Name] == nil },
	} {
		if i := slices.IndexFunc(masters, fits); i >= 0 {
			return masters[i]
		}
	}
	return masters[0]
}

// RenderBGP is a BIG-IP's side of the peering as ZebOS configuration.
func RenderBGP(c *inventory.Cluster, bigip string, reveal bool) ([]string, error) {
	var names []string
	for _, b := range c.BigIPs {
		if b.Name == bigip {
			p := bgp.New(c, b)
			p.Reveal = reveal
			return bgp.Render(p), nil
		}
		names = append(names, b.Name)
	}
	if len(names) == 0 {
		return nil, errors.New("the inventory has no bigip")
	}
	return nil, fmt.Errorf("the inventory has no bigip %q: it has %s", bigip, strings.Join(names, ", "))
}
