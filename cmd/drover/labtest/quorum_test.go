package labtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// watchQuorum reads through etcd's quorum every 100 ms, by way of some masters. The
// function it returns ends that, and tells how often it did, what was the longest time
// without an answer, and why then.
func (c *cluster) watchQuorum(t *testing.T, masters []string) func() (reads int, longest time.Duration, why string) {
	t.Helper()
	from := masters[0]
	file := func(name string) []byte { return []byte(c.ssh(t, from, "cat /etc/kubernetes/pki/etcd/"+name) + "\n") }
	pair, err := tls.X509KeyPair(file("healthcheck-client.crt"), file("healthcheck-client.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(file("ca.crt"))
	var endpoints []string
	for _, m := range masters {
		endpoints = append(endpoints, "https://"+c.address(m)+":2379")
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reads int
	var longest time.Duration
	var why string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		last := time.Now()
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			one, stop := context.WithTimeout(ctx, time.Second)
			_, err := client.Get(one, "health")
			stop()
			if ctx.Err() != nil {
				return
			}
			if without := time.Since(last); without > longest {
				longest = without
				if err != nil {
					why = err.Error()
				}
			}
			if err == nil {
				last = time.Now()
				reads++
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() (int, time.Duration, string) {
		cancel()
		<-ended
		client.Close()
		return reads, longest, why
	}
}
