package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// Config is how to reach the members.
type Config struct {
	Endpoints []string // "https://10.90.0.11:2379", of any of the members

	CA        []byte // PEM
	Cert, Key []byte // PEM: a client's certificate

	// Dial opens connections; nil dials directly. It is asked for an endpoint's
	// host and port.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Permit is asked before each change, and says how long that may take; nil
	// permits all.
	Permit func(context.Context) (context.Context, context.CancelFunc, error)
	// Timeout bounds what is asked of one member; 0 is 5 seconds.
	Timeout time.Duration
}

// Client speaks to the members of one cluster.
type Client struct {
	config Config
	tls    *tls.Config
	all    *conn // balances over the endpoints
}

// Member is one member, as the cluster lists it.
type Member struct {
	ID         uint64
	Name       string // empty until it has started
	PeerURLs   []string
	ClientURLs []string
	Learner    bool
}

// String is its name, or what is known of a member that never started.
func (m Member) String() string {
	if m.Name != "" {
		return m.Name
	}
	return fmt.Sprintf("%016x at %v", m.ID, m.PeerURLs)
}

// Connect makes a client. Nothing is sent before the first request.
func Connect(c Config) (*Client, error) {
	if len(c.Endpoints) == 0 {
		return nil, errors.New("etcd: no endpoints")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("etcd: the CA holds no certificate")
	}
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("etcd: client certificate: %w", err)
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	client := &Client{config: c, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	client.all, err = client.open(c.Endpoints...)
	return client, err
}

// Close ends the connections.
func (c *Client) Close() error { return c.all.Close() }

// conn is a connection to some endpoints.
type conn struct {
	*clientv3.Client
	mu      sync.Mutex
	dialled error // how the last attempt to dial ended
}

func (c *Client) open(endpoints ...string) (*conn, error) {
	out := &conn{}
	dial := c.config.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: c.tls,
		// etcd's client prints its troubles to stderr unless it is told not to;
		// they are in its errors as well.
		Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithNoProxy(), grpc.WithContextDialer(
			func(ctx context.Context, addr string) (net.Conn, error) {
				conn, err := dial(ctx, "tcp", addr)
				out.mu.Lock()
				out.dialled = err
				out.mu.Unlock()
				return conn, err
			}), grpc.WithChainUnaryInterceptor(failFast)},
		DialTimeout:       c.config.Timeout,
		DialKeepAliveTime: 15 * time.Second, DialKeepAliveTimeout: 10 * time.Second,
		MaxUnaryRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	out.Client = client
	return out, nil
}

// failFast ends a call when no endpoint can be reached. etcd's client would wait
// for one until the deadline, and "refused" would become "deadline exceeded".
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

// why is the cause of an error: when nobody could be reached, what the dialer
// said, which gRPC would flatten to a string.
func (c *conn) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.dialled != nil {
		return c.dialled
	}
	return err
}

// Members lists the members as the one that answers first knows them, quorum or
// not: enough to show, not to change anything by.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	members, err := c.members(ctx, c.all, clientv3.WithSerializable())
	if err == nil || len(c.config.Endpoints) == 1 {
		return members, err
	}
	// It may be a learner that was asked, which refuses: others are asked one by one.
	for _, endpoint := range c.config.Endpoints {
		one, oneErr := c.open(endpoint)
		if oneErr != nil {
			return nil, oneErr
		}
		members, oneErr = c.members(ctx, one, clientv3.WithSerializable())
		one.Close()
		if oneErr == nil {
			return members, nil
		}
	}
	return nil, err
}

// Agreed lists the members as a quorum of them knows them: what a change of them may
// be decided by.
func (c *Client) Agreed(ctx context.Context) ([]Member, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	if q := s.Quorum(); !q.Has() {
		return nil, &UnhealthyError{Quorum: q}
	}
	voters, err := c.open(s.voters()...)
	if err != nil {
		return nil, err
	}
	defer voters.Close()
	return c.members(ctx, voters)
}

// members lists them; without options, the answer is the quorum's.
func (c *Client) members(ctx context.Context, from *conn, how ...clientv3.OpOption) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := from.MemberList(ctx, how...)
	if err != nil {
		return nil, fmt.Errorf("etcd: list members: %w", from.why(err))
	}
	out := make([]Member, len(answer.Members))
	for i, m := range answer.Members {
		out[i] = Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner}
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}
