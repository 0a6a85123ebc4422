package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/trust"
)

// ErrNoCluster says that there is nothing to ask yet: no master holds a cluster.
var ErrNoCluster = errors.New("there is no cluster yet")

// Master is a way to a master.
type Master struct {
	Name    string
	Address netip.Addr
	// Dial opens a connection as from the master itself.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Access is the way to a cluster. It is safe for use from many goroutines.
type Access struct {
	Masters []Master // those that were reached
	Port    uint16   // that API servers listen on
	Bundle  *trust.Bundle
	Now     func() time.Time
	// Permit is asked before anything is written; nil permits all.
	Permit func(context.Context) (context.Context, context.CancelFunc, error)

	mu      sync.Mutex
	exists  bool
	clients map[string]*kube.Client
	last    string // the master that answered last

	asked  questions
	glance *glance // nil: everything is asked anew
}

// Open says that there is a cluster, or that one is being made: from here on its
// API and etcd are asked.
func (a *Access) Open() {
	a = a.root()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.exists = true
}

// Exists reports whether there is anything to ask.
func (a *Access) Exists() bool {
	a = a.root()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.exists
}

// readyLimit is how long one API server may take to say whether it is ready.
const readyLimit = 5 * time.Second

// API is a client of an API server that says it is ready. The one that answered
// last is tried first.
func (a *Access) API(ctx context.Context) (*kube.Client, error) {
	if !a.Exists() {
		return nil, ErrNoCluster
	}
	return recall(a, "api", func() (*kube.Client, error) { return a.root().ready(ctx) })
}

// ready is a client of the first API server that says it is.
func (a *Access) ready(ctx context.Context) (*kube.Client, error) {
	var errs []error
	for _, m := range a.preferred() {
		c, err := a.APIOf(ctx, m.Name)
		if err == nil {
			err = a.Ready(ctx, m.Name)
		}
		if err == nil {
			a.prefer(m.Name)
			return c, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, errors.New("no master could be reached")
	}
	return nil, fmt.Errorf("no API server answers: %w", errors.Join(errs...))
}

// Ready asks one master's API server whether it is.
func (a *Access) Ready(ctx context.Context, master string) error {
	c, err := a.APIOf(ctx, master)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return fmt.Errorf("kube-apiserver on %s: %w", master, err)
	}
	return nil
}

// APISpares is nil when another master's API server is ready, of those that there
// should be, or when there should be no other. When this one is not ready either, the
// error wraps ErrServesNobody.
func (a *Access) APISpares(ctx context.Context, master string, others []string) error {
	if len(others) == 0 {
		return nil
	}
	errs := make([]error, len(others))
	for i, name := range others {
		if errs[i] = a.Ready(ctx, name); errs[i] == nil {
			return nil
		}
	}
	if err := a.Ready(ctx, master); err != nil {
		return fmt.Errorf("%w: %w", ErrServesNobody, err)
	}
	return fmt.Errorf("it is the only API server that is ready: %w", errors.Join(errs...))
}

// APIOf is a client of one master's API server, whatever its health.
func (a *Access) APIOf(_ context.Context, master string) (*kube.Client, error) {
	a = a.root()
	if !a.Exists() {
		return nil, ErrNoCluster
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.clients[master]; c != nil {
		return c, nil
	}
	m, err := a.master(master)
	if err != nil {
		return nil, err
	}
	cert, key, err := a.Bundle.Authority(pki.ClusterCA).Issue(pki.AdminLeaf(), a.Now())
	if err != nil {
		return nil, fmt.Errorf("drover's own access to the API: %w", err)
	}
	c, err := kube.Connect(kube.Config{
		Server: "https://" + netip.AddrPortFrom(m.Address, a.Port).String(),
		CA:     a.Bundle.Authority(pki.ClusterCA).CertPEM(), ClientCert: cert, ClientKey: key,
		Dial: m.Dial, Permit: a.Permit,
	})
	if err != nil {
		return nil, err
	}
	if a.clients == nil {
		a.clients = map[string]*kube.Client{}
	}
	a.clients[master] = c
	return c, nil
}

// Close ends what was opened.
func (a *Access) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.clients {
		c.Close()
	}
	a.clients = nil
}

func (a *Access) master(name string) (Master, error) {
	for _, m := range a.Masters {
		if m.Name == name {
			return m, nil
		}
	}
	return Master{}, fmt.Errorf("%s: not a master that was reached", name)
}

func (a *Access) preferred() []Master {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first, rest []Master
	for _, m := range a.Masters {
		if m.Name == a.last {
			first = append(first, m)
		} else {
			rest = append(rest, m)
		}
	}
	return append(first, rest...)
}

func (a *Access) prefer(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = name
}
