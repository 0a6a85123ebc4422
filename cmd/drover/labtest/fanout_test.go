package labtest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// handedOn are the releases that the tests of distribution have large stand-ins for:
// programs by themselves, whose content nobody looks at before they are started.
var handedOn = []string{"kubelet", "kube-proxy", "runc"}

// standIns serves releases of a size, and all else as the lab's mirror does: here,
// where only drover is to fetch them. It changes the shape to install from there.
func standIns(t testing.TB, net string, s *shape, size int) {
	t.Helper()
	content := make([]byte, size)
	seed := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(seed.Uint32())
	}
	is := func(p string) bool {
		name, _, _ := strings.Cut(path.Base(p), ".") // runc.amd64
		return slices.Contains(handedOn, name)
	}
	of := func(p string) []byte { // each another, of the same size
		return append([]byte(path.Base(p)), content[len(path.Base(p)):]...)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: net + ".252"})
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if is(r.URL.Path) {
			_, _ = w.Write(of(r.URL.Path))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(mirror.Close)
	// The lock of the lab's releases, but for these.
	text, err := os.ReadFile(filepath.Join(labkit.WorkDir(), "artifacts.lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		SchemaVersion int               `json:"schema_version"`
		Files         map[string]string `json:"files"`
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	for p := range lock.Files {
		if is(p) {
			lock.Files[p] = fmt.Sprintf("sha256:%x", sha256.Sum256(of(p)))
		}
	}
	text, err = json.Marshal(lock)
	s.Mirror, s.Lock = mirror.URL, filepath.Join(labkit.WorkDir(), "stand-ins.lock.json")
	if err := errors.Join(err, os.WriteFile(s.Lock, text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// distribution is what it took to bring releases to hosts.
type distribution struct {
	took time.Duration
	sent int64 // from this machine to the lab

	mu       sync.Mutex
	warnings []string
}

// Event notes warnings. It is a report.Sink.
func (d *distribution) Event(e report.Event) {
	if e.Kind == report.Warning {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.warnings = append(d.warnings, e.Text)
	}
}

// distribute installs those releases on those hosts: the changes of an apply that do
// so, and no others. Afterwards every byte of them is read again.
func (c *cluster) distribute(t testing.TB, components, hosts []string) *distribution {
	t.Helper()
	chosen := func(id plan.ID) bool {
		name, ok := strings.CutPrefix(id.What(), "artifact:")
		return ok && slices.Contains(components, name) && slices.Contains(hosts, id.Host())
	}
	open := func() (*provision.Session, plan.Plan) {
		inv, problems := inventory.Load(c.path())
		if inv == nil {
			t.Fatal(problems)
		}
		s, err := provision.Open(t.Context(), inv, provision.Options{Verify: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Plan(t.Context())
		if err != nil {
			s.Close()
			t.Fatal(err)
		}
		p.Changes = slices.DeleteFunc(p.Changes, func(ch plan.Change) bool { return !chosen(ch.ID) })
		return s, p
	}
	s, p := open()
	defer s.Close()
	if n := len(p.Pending()); n != len(components)*len(hosts) {
		t.Fatalf("%d installations are pending", n)
	}
	held, err := s.Lock(t.Context(), provision.LockRequest{Reason: "distribution"})
	if err != nil {
		t.Fatal(err)
	}
	d, before := &distribution{}, sentTo(t, c.Net)
	begun := time.Now()
	r := held.Apply(p, d)
	held.Release(provision.OutcomeOf(r))
	d.took, d.sent = time.Since(begun), sentTo(t, c.Net)-before
	for _, o := range r.Failed() {
		t.Errorf("%s: %s: %v", o.Change.ID, o.Kind, o.Err)
	}
	again, p := open()
	defer again.Close()
	for _, ch := range p.Pending() {
		t.Errorf("%s was distributed, and is not there: %s", ch.ID, ch.Reason)
	}
	return d
}

// sentTo is how many bytes this machine has sent into a lab's network.
func sentTo(t testing.TB, lab string) int64 {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		addresses, _ := l.Addrs()
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !strings.HasPrefix(p.Addr().String(), lab+".") {
				continue
			}
			text, err := os.ReadFile("/sys/class/net/" + l.Name + "/statistics/tx_bytes")
			n, err2 := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("this machine has no address in %s", lab)
	return 0
}

// serving is what on a host hands releases on, or waits to.
const serving = `systemctl list-units --plain --no-legend 'drover-fan-out-*'; ls -d /opt/drover/.fan-out/* 2>/dev/null; true`

// nobodyServes waits until nothing is left of a distribution.
func (c *cluster) nobodyServes(t testing.TB) {
	t.Helper()
	for _, h := range c.hosts() {
		labkit.Await(t, time.Minute, h+" to hand on nothing", func() error {
			left, err := c.try(t.Context(), h, serving)
			if err == nil && left != "" {
				err = errors.New(left)
			}
			return err
		})
	}
}

// rot has a host hand on what is not what it got.
func (c *cluster) rot(t testing.TB, host string) {
	t.Helper()
	c.ssh(t, host, `cat > /usr/local/sbin/cat <<'EOF'
#!/bin/sh
case "$*" in */.fan-out/*) /usr/bin/cat "$@" | tr k K ;; *) exec /usr/bin/cat "$@" ;; esac
EOF
chmod 755 /usr/local/sbin/cat`)
}

// Releases go from here to one host and from there to the others. A host that hands
// on something else is found by who gets it, and left out; and when drover is killed in the
// middle, nobody serves anything for long.
func TestFanOut(t *testing.T) {
	c := begin(t, fanOutLab, shape{Masters: 1, Nodes: 7, Routers: 1})
	s := c.shape
	s.Push, s.FanOut = true, true
	const size = 8 << 20
	standIns(t, c.Net, &s, size)
	c.set(t, s)

	d := c.distribute(t, handedOn, c.hosts())
	copies := float64(d.sent) / float64(len(handedOn)*size)
	t.Logf("%d releases of %d MiB to %d hosts in %s: this machine sent %.2f copies", len(handedOn), size>>20, len(c.hosts()), d.took.Round(time.Millisecond), copies)
	if copies > 1.5 || len(d.warnings) > 0 {
		t.Errorf("it sent %.2f copies, and warned: %v", copies, d.warnings)
	}
	c.nobodyServes(t)

	pair := []string{"kube-node-1", "kube-node-2"} // whoever is sent it hands it on to the other
	for _, h := range pair {
		c.rot(t, h)
		c.ssh(t, h, "rm -r /opt/drover/kubelet")
	}
	d = c.distribute(t, []string{"kubelet"}, pair)
	if len(d.warnings) != 1 || !strings.HasPrefix(d.warnings[0], "kube-node-") || !strings.Contains(d.warnings[0], "hands on nothing any more") {
		t.Errorf("warnings: %q", d.warnings)
	}
	c.nobodyServes(t)

	for _, h := range c.hosts() {
		c.ssh(t, h, "rm -rf /opt/drover /usr/local/sbin/cat")
	}
	c.Must(t, "shape", "admin", "--rate", "50mbit") // so that it is still at it
	b := labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
	labkit.Await(t, time.Minute, "a host that serves", func() error {
		select {
		case <-b.Ended:
			t.Fatal(b.Result())
		default:
		}
		for _, h := range c.hosts() {
			if has, err := c.try(t.Context(), h, serving); err != nil || has != "" {
				return err
			}
		}
		return errors.New("none yet")
	})
	if err := b.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-b.Ended
	c.nobodyServes(t)
}

// BenchmarkDistribution brings 300 MB to eight hosts over an uplink of 200 Mbit/s:
// sent to each by drover, and handed on by hosts.
func BenchmarkDistribution(b *testing.B) {
	suite.Need(b)
	c := &cluster{lab: fanOutLab, shape: shape{Masters: 1, Nodes: 7, Routers: 1}}
	b.Cleanup(func() { c.Run(b, "down") })
	c.Must(b, "down")
	c.up(b)
	s := c.shape
	const size = 100_000_000
	standIns(b, c.Net, &s, size)
	c.Must(b, "shape", "admin", "--rate", "200mbit")
	for b.Loop() {
		took := map[bool]time.Duration{}
		for _, s.FanOut = range []bool{false, true} {
			s.Push = true
			c.set(b, s)
			for _, h := range c.hosts() {
				c.ssh(b, h, "rm -rf /opt/drover && sync")
			}
			d := c.distribute(b, handedOn, c.hosts())
			took[s.FanOut] = d.took
			copies := float64(d.sent) / float64(len(handedOn)*size)
			// Not b.Log, which keeps only the first lines.
			fmt.Printf("300 MB to %d hosts, fan-out %v: %s, this machine sent %.2f copies\n", len(c.hosts()), s.FanOut, d.took.Round(100*time.Millisecond), copies)
			if s.FanOut {
				b.ReportMetric(copies, "copies-sent")
			}
			if len(d.warnings) > 0 {
				b.Errorf("warnings: %q", d.warnings)
			}
		}
		b.ReportMetric(took[true].Seconds()/took[false].Seconds(), "ratio")
	}
	b.ReportMetric(0, "ns/op")
}
