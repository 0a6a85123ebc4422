package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// mirror serves one text under every name, and counts how often it was asked.
func mirror(t *testing.T, text string) (*Store, string, *atomic.Int64) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, text)
	}))
	s := NewStore(Fetcher{Client: srv.Client()})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return s, srv.URL, &asked
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// busy is a host that tells how many uploads there are at once.
type busy struct {
	*hosttest.Host
	here, all, mostHere, mostAll *atomic.Int64
}

func (b busy) Upload(ctx context.Context, path string, content host.Content, meta host.FileMeta) error {
	most(b.mostHere, b.here.Add(1))
	most(b.mostAll, b.all.Add(1))
	time.Sleep(5 * time.Millisecond)
	defer b.all.Add(-1)
	defer b.here.Add(-1)
	return b.Host.Upload(ctx, path, content, meta)
}

func most(m *atomic.Int64, n int64) {
	for old := m.Load(); n > old && !m.CompareAndSwap(old, n); old = m.Load() {
	}
}

// Many hosts want the same: it is fetched once, a few are sent it at a time, and
// nothing of it is left here.
func TestStoreSendsToMany(t *testing.T) {
	s, url, asked := mirror(t, "kubelet")
	var all, mostAll, mostHere atomic.Int64
	var hosts []busy
	var wg sync.WaitGroup
	for n := range 30 {
		b := busy{hosttest.New(t, fmt.Sprintf("node-%d", n)), &atomic.Int64{}, &all, &mostHere, &mostAll}
		hosts = append(hosts, b)
		for _, name := range []string{"kubelet", "kube-proxy"} {
			wg.Go(func() {
				if err := s.Send(context.Background(), b, url+"/"+name, digestOf("kubelet"), "/opt/"+name); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, h := range hosts {
		if f := h.State().Files["/opt/kubelet"]; f.Content != "kubelet" || f.Mode != 0o600 {
			t.Fatalf("%s: %+v", h.Name(), f)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("two releases were fetched %d times", asked.Load())
	}
	if n := mostAll.Load(); n > uplink || n < 2 || mostHere.Load() != 1 {
		t.Errorf("%d uploads at once, %d of them to one host", n, mostHere.Load())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// What is not as locked is sent to nobody, and not fetched again for each host.
func TestStoreRefusesAnotherDigest(t *testing.T) {
	s, url, asked := mirror(t, "evil")
	for _, name := range []string{"node-1", "node-2"} {
		h := hosttest.New(t, name)
		err := s.Send(context.Background(), h, url+"/kubelet", digestOf("good"), "/opt/kubelet")
		var e *DigestError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), name) || e.Have != digestOf("evil") {
			t.Errorf("%v", err)
		}
		if len(h.Ops()) > 0 {
			t.Errorf("%s was sent something", name)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// A host that waits for its turn gives up with the run.
func TestStoreIsCancelled(t *testing.T) {
	s, url, _ := mirror(t, "kubelet")
	for range uplink {
		s.places <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := s.Send(ctx, hosttest.New(t, "node-1"), url, digestOf("kubelet"), "/opt/kubelet")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "node-1") {
		t.Error(err)
	}
}
