package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
	"github.com/droverctl/drover/cmd/drover-lab/internal/debian"
	"github.com/droverctl/drover/cmd/drover-lab/internal/image"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/preflight"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// UpOptions say which lab to bring up.
type UpOptions struct {
	Name           string // of the lab
	Inventory      string // where the hosts came from, for people
	Hosts          []topology.Host
	SkipComponents bool // serve only the components the cache has already
	Puppet         bool // with a Puppet server
}

// Up makes the lab real, or repairs what is missing of it: what exists and runs
// is left alone. It returns when every machine answers over SSH and systemd has
// settled on each.
func (l Labs) Up(ctx context.Context, o UpOptions) error {
	start := time.Now()
	h, err := l.plan(o)
	if err != nil {
		return err
	}
	if err := l.prepareThisMachine(ctx, h.lab, o); err != nil {
		return err
	}
	lock, err := lockfile.Acquire(ctx, h.dir.LockPath(), "up", lockPatience)
	if err != nil {
		return fmt.Errorf("lab %q: %w", o.Name, err)
	}
	defer lock.Unlock()
	// Once more, now that nobody else changes it.
	if h, err = l.plan(o); err != nil {
		return err
	}
	if h.tree, err = cgroup.Open(); err != nil {
		return err
	}
	// Whatever this command starts and loses sight of is found in this group.
	if err := h.tree.Enter(machine.WorkGroup(h.lab.Name)); err != nil {
		return err
	}
	made, err := l.make(ctx, h.lab, o)
	if err != nil {
		return err
	}
	if err := l.build(ctx, h, made); err != nil {
		return err
	}
	l.say("lab %q: %d machines ready in %s", h.lab.Name, len(h.lab.Machines), time.Since(start).Round(100*time.Millisecond))
	return nil
}

// plan is the lab as it should be: as it is, with what the inventory adds.
func (l Labs) plan(o UpOptions) (handle, error) {
	h := handle{dir: l.Root.Lab(o.Name)}
	have, err := h.dir.Load()
	if errors.Is(err, state.ErrNoLab) {
		h.lab, err = topology.Build(o.Name, o.Inventory, o.Hosts)
	} else if err == nil {
		h.lab, err = have.Extend(o.Hosts)
	}
	if err == nil && o.Puppet {
		h.lab, err = h.lab.WithPuppet()
	}
	return h, err
}

// prepareThisMachine installs what is missing here, where it may, and refuses
// when anything still stands in the way. Nothing of the lab exists before.
func (l Labs) prepareThisMachine(ctx context.Context, lab topology.Lab, o UpOptions) error {
	wanted := labTools()
	if !o.SkipComponents {
		wanted = append(wanted, components.AptPackages()...)
	}
	if err := l.install(ctx, wanted); err != nil {
		return err
	}
	full, err := l.cacheFull(ctx, lab, o)
	if err != nil {
		return err
	}
	if err := preflight.Check(ctx, preflight.Wanted{Lab: lab, StateDir: string(l.Root), CacheDir: l.Cache, CacheFull: full}); err != nil {
		return err
	}
	return l.raiseLimits(inotifyFile)
}

// InstallTools installs what building components takes.
func (l Labs) InstallTools(ctx context.Context) error {
	return l.install(ctx, components.AptPackages())
}

func labTools() []string {
	var packages []string
	for _, pkg := range preflight.Tools() {
		packages = append(packages, pkg)
	}
	return packages
}

// install installs the packages that are missing here: on Debian and its like,
// as root. Elsewhere it is preflight that names them.
func (l Labs) install(ctx context.Context, packages []string) error {
	if os.Geteuid() != 0 || !debian.IsDebian() {
		return nil
	}
	missing, err := debian.Missing(ctx, packages)
	if err != nil || len(missing) == 0 {
		return err
	}
	l.say("installing on this machine: %s", strings.Join(missing, " "))
	return debian.Install(ctx, missing)
}

// made is what the lab is built from.
type made struct {
	images map[image.Kind]image.Image // of the lab's machines; and host, for its packages
	set    components.Set
}

// make sees to the images and components, building what the cache lacks.
func (l Labs) make(ctx context.Context, lab topology.Lab, o UpOptions) (made, error) {
	kinds := imageKinds(lab)
	images := make([]image.Image, len(kinds))
	var set components.Set
	g, ctx := errgroup.WithContext(ctx)
	for i, kind := range kinds {
		g.Go(func() (err error) {
			images[i], err = l.image(ctx, kind)
			return err
		})
	}
	g.Go(func() (err error) {
		set, err = l.components(ctx, o)
		return err
	})
	err := g.Wait()
	m := made{images: map[image.Kind]image.Image{}, set: set}
	for i, kind := range kinds {
		m.images[kind] = images[i]
	}
	return m, err
}

// imageKinds are the images a lab takes. A Puppet server's is made only for labs
// that have one.
func imageKinds(lab topology.Lab) []image.Kind {
	kinds := []image.Kind{image.Host, image.Router}
	if _, ok := lab.Machine(topology.PuppetServer); ok {
		kinds = append(kinds, image.Puppet)
	}
	return kinds
}

func (l Labs) image(ctx context.Context, kind image.Kind) (image.Image, error) {
	start := time.Now()
	img, err := image.Ensure(ctx, l.Cache, kind, io.Discard, func() { l.say("image %s: building", kind) })
	if err == nil && time.Since(start) > time.Second {
		l.say("image %s: built in %s", kind, time.Since(start).Round(time.Second))
	}
	return img, err
}

// build brings the lab up from what was made: network, disks, access, mirror,
// machines. Each step leaves alone what is already as it should be.
func (l Labs) build(ctx context.Context, h handle, m made) error {
	if err := os.MkdirAll(h.dir.Path("machines"), 0o755); err != nil {
		return err
	}
	if err := h.dir.Save(h.lab); err != nil {
		return err
	}
	if err := machine.EnsureKey(h.dir, h.lab.Name); err != nil {
		return err
	}
	if err := each(h.lab.Machines, func(mc topology.Machine) error {
		return machine.Prepare(h.dir, h.lab, mc, m.imageOf(mc).Rootfs)
	}); err != nil {
		return err
	}
	if err := machine.WriteAccess(h.dir, h.lab); err != nil {
		return err
	}
	if err := network.Ensure(ctx, h.lab); err != nil {
		return err
	}
	if err := l.startMirror(ctx, h, m); err != nil {
		return err
	}
	return each(h.lab.Machines, func(mc topology.Machine) error {
		p := h.power(mc)
		if err := p.Start(ctx); err != nil {
			return err
		}
		return p.AwaitReady(ctx)
	})
}

func (m made) imageOf(mc topology.Machine) image.Image {
	switch mc.Role {
	case topology.Router, topology.Client:
		return m.images[image.Router]
	case topology.Puppet:
		return m.images[image.Puppet]
	}
	return m.images[image.Host]
}
