package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
	"github.com/droverctl/drover/cmd/drover-lab/internal/image"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/mirror"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// offer is what a mirror serves, as its file says.
type offer struct {
	Set components.Set `json:"set"`
	Apt string         `json:"apt"`
}

func offerFile(dir state.Dir) string { return dir.Path("mirror", "offer.json") }

// components are the artifacts and images the lab serves, built now if need be.
func (l Labs) components(ctx context.Context, o UpOptions) (components.Set, error) {
	cache := components.Cache{Dir: l.Cache}
	if !o.SkipComponents {
		return components.Build(ctx, cache, components.Options{Progress: l.Told})
	}
	sets, err := components.List(ctx, cache)
	if err != nil {
		return components.Set{}, err
	}
	var have components.Set
	for _, s := range sets {
		have.Artifacts = append(have.Artifacts, s.Artifacts...)
		have.Images = append(have.Images, s.Images...)
	}
	return have, nil
}

// Told passes a component build's progress on.
func (l Labs) Told(e components.Event) {
	switch e.Kind {
	case components.Cached:
	case components.Started:
		l.say("component %s %s: building", e.Set, e.Version)
	case components.Waiting, components.Progressed:
		l.say("component %s: %s (%s)", e.Set, e.Line, e.Elapsed.Round(time.Second))
	case components.Done:
		l.say("component %s %s: built in %s", e.Set, e.Version, e.Elapsed.Round(time.Second))
	}
}

// cacheFull reports whether `up` will have nothing left to build.
func (l Labs) cacheFull(ctx context.Context, lab topology.Lab, o UpOptions) (bool, error) {
	for _, kind := range imageKinds(lab) {
		if cached, err := image.Cached(l.Cache, kind); err != nil || !cached {
			return false, err
		}
	}
	if o.SkipComponents {
		return true, nil
	}
	sets, err := components.List(ctx, components.Cache{Dir: l.Cache})
	for _, s := range sets {
		if s.State != components.Built {
			return false, err
		}
	}
	return err == nil, err
}

// startMirror has the mirror serve what was made; one that does so already is
// left alone.
func (l Labs) startMirror(ctx context.Context, h handle, m made) error {
	content, err := json.Marshal(offer{Set: m.set, Apt: m.images[image.Host].Apt})
	if err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	have, err := os.ReadFile(offerFile(h.dir))
	same := err == nil && string(have) == string(content)
	if same && mirrorAnswers(ctx, h.lab) == nil {
		return nil
	}
	if !same {
		if err := os.MkdirAll(h.dir.Path("mirror"), 0o755); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
		if err := renameio.WriteFile(offerFile(h.dir), content, 0o644); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	group := machine.Group(h.lab.Name, topology.Mirror)
	if err := h.tree.Kill(ctx, group); err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	err = network.Enter(network.Namespace(h.lab.Name, topology.Mirror), func() error {
		return machine.Spawn(h.tree, group, h.dir.Path("mirror", "mirror.log"),
			"internal", "mirror", "--state-dir", string(h.dir.Root), "--lab", h.lab.Name)
	})
	if err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	return awaitMirror(ctx, h)
}

func awaitMirror(ctx context.Context, h handle) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := mirrorAnswers(ctx, h.lab)
		if err == nil {
			return nil
		}
		if running, rerr := h.tree.Running(machine.Group(h.lab.Name, topology.Mirror)); rerr != nil || !running {
			return fmt.Errorf("mirror: it ended right after its start: see %s (%w)", h.dir.Path("mirror", "mirror.log"), errors.Join(rerr, err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("mirror: does not answer: %w (last: %w): see %s", ctx.Err(), err, h.dir.Path("mirror", "mirror.log"))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// mirrorAnswers asks both of the mirror's services.
func mirrorAnswers(ctx context.Context, lab topology.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, url := range []string{mirrorURL(lab) + "/", "http://" + registryAddress(lab) + "/v2/"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
	}
	return nil
}

func mirrorURL(lab topology.Lab) string { return "http://" + lab.Mirror.String() }

func registryAddress(lab topology.Lab) string {
	return netip.AddrPortFrom(lab.Mirror, topology.RegistryPort).String()
}

// ServeMirror is the mirror's own process: it serves until ctx ends.
func ServeMirror(ctx context.Context, dir state.Dir) error {
	content, err := os.ReadFile(offerFile(dir))
	if err != nil {
		return err
	}
	var o offer
	if err := json.Unmarshal(content, &o); err != nil {
		return fmt.Errorf("%s: %w", offerFile(dir), err)
	}
	registry, err := mirror.Registry(o.Set)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for port, handler := range map[int]http.Handler{
		topology.MirrorPort:   mirror.Files(o.Set, o.Apt),
		topology.RegistryPort: registry,
	} {
		g.Go(func() error { return serve(ctx, port, handler) })
	}
	return g.Wait()
}

func serve(ctx context.Context, port int, handler http.Handler) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
