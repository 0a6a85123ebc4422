package fleettest

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// copies are the releases that a host hands on: "/NONCE/DIGEST", as in their URLs.
type copies struct {
	// Rotten is whether what it hands on is not what it got.
	rotten atomic.Bool
	handed atomic.Int64

	mu   sync.Mutex
	have map[string]bool
}

// Rot has the host hand on wrong copies from now on.
func (h *Host) Rot() { h.copies.rotten.Store(true) }

// Handed is how many copies it has handed on, right or wrong.
func (h *Host) Handed() int64 { return h.copies.handed.Load() }

// Keeps is how many copies it has for others.
func (h *Host) Keeps() int {
	h.copies.mu.Lock()
	defer h.copies.mu.Unlock()
	return len(h.copies.have)
}

func (c *copies) keep(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == nil {
		c.have = map[string]bool{}
	}
	c.have[name] = true
}

func (c *copies) has(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have[name]
}

// end plays the end of a distribution.
func (c *copies) end(*hosttest.State, hosttest.Call) host.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have = nil
	return host.Result{}
}

// install plays an installation, wherever the release comes from, and the serving of
// what it leaves for others.
func (h *Host) install(s *hosttest.State, script string) host.Result {
	dir, sum := between(script, "mkdir -p ", "\n"), between(script, `if [ "$sum" != `, " ]")
	if from, ok := handedOn(script); ok {
		delete(s.Files, path.Join(dir, ".sent"))
		if res := h.fleet.handOn(from, sum); res.Exit != 0 {
			return res
		}
	} else if strings.Contains(script, "\nmv -T ../.sent .download\n") {
		sent := path.Join(dir, ".sent")
		f, there := s.Files[sent]
		if !there || digest(f.Content) != sum {
			return host.Result{Exit: 1, Stderr: fmt.Appendf(nil, "mv: cannot stat '%s'", sent)}
		}
		delete(s.Files, sent)
	}
	res := artifact(s, script)
	if nonce := between(script, "\nnonce=", "\n"); res.Exit == 0 && nonce != "" {
		h.copies.keep("/" + nonce + "/" + sum)
		res.Stdout = []byte("drover-serves\n")
	}
	return res
}

// handedOn is the URL of another host's copy.
func handedOn(script string) (*url.URL, bool) {
	if !strings.Contains(script, "\ncurl --fail --silent --show-error --noproxy '*' ") {
		return nil, false
	}
	u, err := url.Parse(between(script, "--output .download ", " "))
	return u, err == nil
}

// handOn has a host hand on what it has, if it is that.
func (f *Fleet) handOn(from *url.URL, sum string) host.Result {
	for _, h := range f.Hosts {
		if h.Address != from.Hostname() || !h.copies.has(from.Path) || path.Base(from.Path) != sum {
			continue
		}
		h.copies.handed.Add(1)
		if h.copies.rotten.Load() {
			return host.Result{Exit: 65, Stderr: fmt.Appendf(nil, "the copy that %s hands on has digest sha256:another", h.Name)}
		}
		return host.Result{}
	}
	return host.Result{Exit: 69, Stderr: fmt.Appendf(nil, "curl: (22) The requested URL returned error: 404: %s", from)}
}

// between is a script's word between two others.
func between(script, before, after string) string {
	_, rest, _ := strings.Cut(script, before)
	word, _, _ := strings.Cut(rest, after)
	return strings.Trim(word, "'")
}
