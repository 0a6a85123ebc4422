package fanout

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/provision/host"
)

var (
	//go:embed connection.sh
	connectionScript string
	//go:embed serve.sh
	serveScript string
)

// UnitPrefix begins the names of the units that serve copies.
const UnitPrefix = "drover-fan-out-"

// What the script of an installation exits with when the fault is that of the host
// the release was to come from.
const (
	ExitCorrupt = 65 // it is another file
	ExitNoCopy  = 69 // it did not come
)

// serves is what the script says of a host that serves its copies from now on.
const serves = "drover-serves"

const (
	// life is how long a unit may serve that nobody ends: longer than any distribution.
	life = time.Hour
	// lifeAlone is the same where it cannot end with drover's connection, because no
	// sshd is known there.
	lifeAlone = 15 * time.Minute
	endLimit  = 15 * time.Second
	// atOnce is how many hosts are told the end at the same time.
	atOnce = 128
)

// Way is how a host is to come by a release, and what it is to do with it.
type Way struct {
	// URL is a host's copy; empty: from the origin.
	URL  string
	From string // that host
	// Copies is the directory to put the verified file into, named by its digest, or a
	// link to it; empty when nobody wants it.
	Copies string
	// Begin is what the script begins with, so that it knows the connection it serves
	// for, and Serve the part of it that serves that directory.
	Begin, Serve string
}

// Config is what a distribution has to know.
type Config struct {
	Dir       string // where hosts keep copies, on the disk that releases are on
	Port      uint16
	Addresses map[string]netip.Addr // of the hosts, for each other
	// Wanted is how many hosts want each release, by its digest.
	Wanted map[string]int
	// Warn is told what the operator should know of a host.
	Warn func(host, text string)
}

// Peers are the hosts of one distribution.
type Peers struct {
	conf  Config
	swarm *Swarm
	// nonce is in every URL: who was not told it is served nothing.
	nonce string

	mu      sync.Mutex
	keepers map[string]host.Writer // that may have copies
	mute    map[string]bool        // that cannot serve
}

// New makes a distribution. It has to be ended.
func New(c Config) *Peers {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	p := &Peers{conf: c, swarm: NewSwarm(c.Wanted), nonce: hex.EncodeToString(nonce), keepers: map[string]host.Writer{}, mute: map[string]bool{}}
	p.swarm.LeftOut = func(name string, why error) {
		c.Warn(name, fmt.Sprintf("%s hands on nothing any more: %v", name, why))
	}
	return p
}

// Get has a host install a release, from whoever can give it. install runs the script
// that does. When it was the last that anybody wanted, nobody serves any more.
func (p *Peers) Get(ctx context.Context, h host.Writer, sha256 string, install func(context.Context, Way) (host.Result, error)) error {
	err := p.swarm.Get(ctx, h.Name(), sha256, func(ctx context.Context, g Grant) (bool, error) {
		way := p.way(h, sha256, g)
		res, err := install(ctx, way)
		if err != nil {
			return false, blame(g, err)
		}
		holds := strings.Contains(string(res.Stdout), serves)
		if way.Copies != "" && !holds {
			p.cannot(h.Name(), strings.TrimSpace(string(res.Stderr)))
		}
		return holds, nil
	})
	if p.swarm.Over() {
		err = errors.Join(err, p.End(ctx))
	}
	return err
}

// cannot notes that a host cannot serve, of which it is not asked again.
func (p *Peers) cannot(name, why string) {
	p.mu.Lock()
	known := p.mute[name]
	p.mute[name] = true
	p.mu.Unlock()
	if !known {
		p.conf.Warn(name, fmt.Sprintf("%s cannot hand releases on: %s", name, why))
	}
}

// way is a grant as a script needs it.
func (p *Peers) way(h host.Writer, sha256 string, g Grant) Way {
	w := Way{From: g.From}
	if g.From != Origin {
		w.URL = fmt.Sprintf("http://%s/%s/%s", p.at(g.From), p.nonce, sha256)
	}
	p.mu.Lock()
	keeps := g.Keep && !p.mute[h.Name()]
	if keeps {
		p.keepers[h.Name()] = h
	}
	p.mu.Unlock()
	if !keeps {
		return w
	}
	w.Copies, w.Begin = p.copies(), connectionScript
	at := p.at(h.Name())
	var s strings.Builder
	for _, v := range [][2]string{
		{"prefix", UnitPrefix}, {"unit", p.unit()}, {"nonce", p.nonce}, {"copies", w.Copies}, {"at", at.String()}, {"socket", inProc(at)},
		{"seconds", fmt.Sprint(life.Seconds())}, {"alone", fmt.Sprint(lifeAlone.Seconds())},
	} {
		fmt.Fprintf(&s, "%s=%s\n", v[0], host.Quote(v[1]))
	}
	w.Serve = s.String() + serveScript
	return w
}

func (p *Peers) at(name string) netip.AddrPort {
	return netip.AddrPortFrom(p.conf.Addresses[name], p.conf.Port)
}

func (p *Peers) unit() string   { return UnitPrefix + p.nonce[:8] }
func (p *Peers) copies() string { return p.conf.Dir + "/" + p.nonce }

// blame tells whose fault it was that a release did not come.
func blame(g Grant, err error) error {
	var exit *host.ExitError
	if g.From == Origin || !errors.As(err, &exit) || exit.Exit != ExitCorrupt && exit.Exit != ExitNoCopy {
		return err
	}
	return &Fault{Corrupt: exit.Exit == ExitCorrupt, Err: fmt.Errorf("%s: %s", exit.Host, strings.TrimSpace(exit.Stderr))}
}

// End has no host serve or keep anything any more, also when ctx has ended. It may be
// called again.
func (p *Peers) End(ctx context.Context) error {
	p.mu.Lock()
	keepers := p.keepers
	p.keepers = map[string]host.Writer{}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*endLimit)
	defer cancel()
	script := fmt.Sprintf("# drover fan-out end\nsystemctl stop %s.service 2>/dev/null\nrm -rf %s\nrmdir %s 2>/dev/null || :\n",
		p.unit(), host.Quote(p.copies()), host.Quote(p.conf.Dir))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for name, h := range keepers {
		g.Go(func() error {
			// Where it cannot be told, it ends with the connection.
			if _, err := h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script), Limit: endLimit}); err != nil {
				p.conf.Warn(name, fmt.Sprintf("%s may serve releases for a while yet: %v", name, err))
			}
			return nil
		})
	}
	return g.Wait()
}

// inProc is an address as /proc/net/tcp has it.
func inProc(a netip.AddrPort) string {
	b := a.Addr().As4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", b[3], b[2], b[1], b[0], a.Port())
}
