package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// config is the operator's access to the API, at another address and, with a
// machine's name, as from there.
func (c *cluster) config(t testing.TB, machine, address string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Host = "https://" + address
	config.APIPath = "/api"
	config.GroupVersion = &scheme.Scheme.PrioritizedVersionsForGroup("")[0]
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.Timeout = 30 * time.Second
	config.QPS = -1
	config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialIn(ctx, c.lab, machine, network, addr)
	}
	return config
}

// dialIn opens a connection as a program on a machine of the lab would.
func dialIn(ctx context.Context, l lab, machine, network, addr string) (conn net.Conn, err error) {
	if machine == "" {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	err = labkit.Within(l.Namespace(machine), func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// plain makes a client's connections serve one request each, and answers be what
// they are: nothing is repeated.
func plain(config *rest.Config) (*http.Client, error) {
	transport, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: transport, DialContext: config.Dial},
		Timeout:   config.Timeout,
	}, nil
}

// asker asks one API server whether it is ready, on a new connection each time.
func (c *cluster) asker(t testing.TB, address string) func() error {
	t.Helper()
	client, err := plain(c.config(t, "", address))
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		resp, err := client.Get("https://" + address + ":6443/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		checks, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return unready(string(checks))
	}
}

// unready is what an API server says that is not ready: a line for each of its
// checks, "[-]" before what failed.
type unready string

func (u unready) Error() string { return "not ready: " + strings.Join(u.failed(), ", ") }

func (u unready) failed() (names []string) {
	for line := range strings.Lines(string(u)) {
		if rest, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	return names
}

// waitsForEtcd tells whether an API server only says that its etcd answered late,
// which it does on a busy machine while it serves; one that goes or comes says more.
func waitsForEtcd(err error) bool {
	var u unready
	if !errors.As(err, &u) {
		return false
	}
	failed := u.failed()
	return len(failed) > 0 && !slices.ContainsFunc(failed, func(name string) bool { return !strings.HasPrefix(name, "etcd") })
}

// writer writes through a node's own endpoint, one request after the other.
type writer struct {
	name  string
	once  func(n int) error
	again atomic.Int64 // answers that said to come again
	halt  chan struct{}
	ended sync.WaitGroup

	done, retried int
	failed        []string
}

// endpoint is where a node reaches the API.
const endpoint = "127.0.0.1:16443"

// write begins to write as a program on a node. A "plain" client opens a
// connection for each request and repeats nothing. The "usual" one is what
// Kubernetes' own programs use: it keeps its connection, and on 429 with
// Retry-After comes again, which is how API servers that go send clients away; it
// reads again what it wrote.
func (c *cluster) write(t testing.TB, node, name string) *writer {
	t.Helper()
	w := &writer{name: name, halt: make(chan struct{})}
	config := c.config(t, node, endpoint)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusTooManyRequests {
				w.again.Add(1)
			}
			return resp, err
		})
	})
	path := "/api/v1/namespaces/default/configmaps/labtest-" + name
	switch name {
	case "plain":
		client, err := plain(config)
		if err != nil {
			t.Fatal(err)
		}
		w.once = func(n int) error { return patch(client, "https://"+endpoint+path, value(n)) }
	default:
		client, err := rest.RESTClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		w.once = func(n int) error {
			if err := client.Patch(types.MergePatchType).AbsPath(path).Body(value(n)).Do(context.Background()).Error(); err != nil {
				return err
			}
			var got struct{ Data map[string]string }
			text, err := client.Get().AbsPath(path).Do(context.Background()).Raw()
			if err == nil {
				err = json.Unmarshal(text, &got)
			}
			if err == nil && got.Data["n"] != fmt.Sprint(n) {
				err = fmt.Errorf("wrote %d and read %q", n, got.Data["n"])
			}
			return err
		}
	}
	c.kubectl(t, "create", "configmap", "labtest-"+name)
	w.ended.Go(w.loop)
	t.Cleanup(func() { w.stop() })
	return w
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// value is a change that was not made before.
func value(n int) []byte {
	body, err := json.Marshal(map[string]any{"data": map[string]string{"n": fmt.Sprint(n)}})
	if err != nil {
		panic(err)
	}
	return body
}

func patch(client *http.Client, url string, body []byte) error {
	req, err := http.NewRequest(http.MethodPatch, url, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", string(types.MergePatchType))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status)
	}
	return nil
}

func (w *writer) loop() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-w.halt:
			return
		case <-tick.C:
		}
		err := w.once(n)
		if errors.Is(err, syscall.ECONNREFUSED) || forwardedInVain(err) {
			w.retried++
			err = w.once(n)
		}
		if err != nil {
			w.failed = append(w.failed, fmt.Sprintf("%s, after %d writes: %v", time.Now().Format("15:04:05.000"), w.done, err))
			continue
		}
		w.done++
	}
}

// forwardedInVain tells whether etcd may have lost a write: a leader that hands on its
// lead drops what other members forward to it at that moment, and they tell it after
// seven seconds.
func forwardedInVain(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "etcdserver: request timed out")
}

// stop ends the writing and tells how it went.
func (w *writer) stop() (done, retried int, failed []string) {
	select {
	case <-w.halt:
	default:
		close(w.halt)
	}
	w.ended.Wait()
	return w.done, w.retried, w.failed
}
