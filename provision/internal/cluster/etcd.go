package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"github.com/droverctl/drover/provision/internal/pki"
)

// etcdPort is where etcd serves its clients.
const etcdPort = 2379

// EtcdHealthy is nil when every master's etcd that was reached, but for some, says it
// is healthy, which it does only as part of a quorum with a leader, and they are
// enough for one.
func (a *Access) EtcdHealthy(ctx context.Context, but ...string) error {
	if !a.Exists() {
		return ErrNoCluster
	}
	errs := make([]error, len(a.Masters))
	var wg sync.WaitGroup
	for i, m := range a.Masters {
		if slices.Contains(but, m.Name) {
			continue
		}
		wg.Go(func() { errs[i] = a.etcdHealth(ctx, m) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// EtcdOf is nil when one master's etcd says that it is healthy.
func (a *Access) EtcdOf(ctx context.Context, master string) error {
	m, err := a.master(master)
	if err != nil {
		return err
	}
	return a.etcdHealth(ctx, m)
}

func (a *Access) etcdHealth(ctx context.Context, m Master) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	ca := a.Bundle.Authority(pki.EtcdCA)
	cert, key, err := ca.Issue(pki.EtcdAdminLeaf(), a.Now())
	if err != nil {
		return fmt.Errorf("drover's own access to etcd: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("drover's own access to etcd: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	transport := &http.Transport{
		DialContext:     m.Dial,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}},
	}
	defer transport.CloseIdleConnections()
	url := "https://" + netip.AddrPortFrom(m.Address, etcdPort).String() + "/health"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("etcd on %s: %w", m.Name, err)
	}
	defer resp.Body.Close()
	var health struct{ Health, Reason string }
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		return fmt.Errorf("etcd on %s: %s: %w", m.Name, resp.Status, err)
	}
	if health.Health != "true" {
		return fmt.Errorf("etcd on %s is not healthy: %s", m.Name, health.Reason)
	}
	return nil
}
