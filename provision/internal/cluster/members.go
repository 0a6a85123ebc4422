package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/pki"
)

// Etcd is a client of the cluster's etcd, by way of the masters that were
// reached. The caller closes it.
func (a *Access) Etcd() (*etcd.Client, error) {
	if !a.Exists() {
		return nil, ErrNoCluster
	}
	if len(a.Masters) == 0 {
		return nil, errors.New("no master could be reached")
	}
	ca := a.Bundle.Authority(pki.EtcdCA)
	cert, key, err := ca.Issue(pki.EtcdAdminLeaf(), a.Now())
	if err != nil {
		return nil, fmt.Errorf("drover's own access to etcd: %w", err)
	}
	var endpoints []string
	for _, m := range a.Masters {
		endpoints = append(endpoints, "https://"+netip.AddrPortFrom(m.Address, etcdPort).String())
	}
	return etcd.Connect(etcd.Config{
		Endpoints: endpoints, CA: ca.CertPEM(), Cert: cert, Key: key, Dial: a.dialMember, Timeout: readyLimit,
		Permit: a.root().Permit,
	})
}

// ErrServesNobody says that what was asked about serves nobody, as it was seen: nothing
// is lost with it, if that lasts. One look may fall into a moment in which a busy host
// does not answer.
var ErrServesNobody = errors.New("it serves nobody")

// EtcdSpares is nil when the other members can do without a master's etcd for a
// moment. Without any quorum that could be lost the error wraps ErrServesNobody.
func (a *Access) EtcdSpares(ctx context.Context, master string) error {
	client, err := a.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err == nil {
		err = s.Spares(master)
		if !errors.Is(err, etcd.ErrNoQuorum) {
			return err
		}
	}
	// Nobody answers, as with certificates that ran out, or too few.
	return fmt.Errorf("%w: %w", ErrServesNobody, err)
}

// dialMember reaches a member from its own master, or, where that one is not
// connected, from any: the member may be alive although its master's SSH is not.
func (a *Access) dialMember(ctx context.Context, network, addr string) (net.Conn, error) {
	by := a.Masters[0]
	if to, err := netip.ParseAddrPort(addr); err == nil {
		for _, m := range a.Masters {
			if m.Address == to.Addr() {
				by = m
			}
		}
	}
	return by.Dial(ctx, network, addr)
}
