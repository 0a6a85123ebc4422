package lab

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// Down removes a lab whole: processes, mounts, namespaces, control groups and
// files. It needs nothing but the lab's name, so it works on whatever a killed
// command left; of a lab that is not there nothing is left to do.
func (l Labs) Down(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return errors.New("drover-lab removes machines, and is not root: run it as root, as in `sudo drover-lab down`")
	}
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	dir := l.Root.Lab(name)
	lock, err := lockfile.Acquire(ctx, dir.LockPath(), "down", lockPatience)
	if err != nil {
		return fmt.Errorf("lab %q: %w", name, err)
	}
	// Shared with other labs: removed only when empty, as it is once the lock's
	// file is gone.
	defer os.Remove(string(l.Root))
	defer lock.Remove()
	// Cables first: a dying machine is not to be seen by anyone. Then every
	// process; what runs could make anew what is removed. Then what is left.
	group := machine.LabGroup(name)
	if err := errors.Join(network.Destroy(ctx, name), tree.Kill(ctx, group)); err != nil {
		return fmt.Errorf("lab %q: %w", name, err)
	}
	if err := network.Destroy(ctx, name); err != nil {
		return fmt.Errorf("lab %q: %w", name, err)
	}
	if err := tree.Remove(ctx, group); err != nil {
		return fmt.Errorf("lab %q: %w", name, err)
	}
	if err := os.RemoveAll(dir.Path()); err != nil {
		return fmt.Errorf("lab %q: %w", name, err)
	}
	if tree.RemoveIfEmpty(machine.LabsGroup) { // else it is the other labs', too
		_ = os.Remove("/run/systemd/nspawn") // empty, and remade by the next nspawn
	}
	l.say("lab %q: gone", name)
	return l.gone(ctx, tree, name)
}

// gone looks again: nothing is reported removed unseen.
func (l Labs) gone(ctx context.Context, tree cgroup.Tree, name string) error {
	left, err := network.Namespaces(name)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("lab %q: namespaces are back after their removal: %v", name, left)
	}
	pids, err := tree.Procs(machine.LabGroup(name))
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("lab %q: processes %v are still there", name, pids)
	}
	return nil
}

// Power is a verb of `drover-lab power`.
type Power string

// What can be done to a machine's power.
const (
	PowerOff  Power = "off"  // shut down in order
	PowerOn   Power = "on"   // and wait until it is ready
	PowerKill Power = "kill" // pull the plug
)

// Power switches machines, all at once, and returns when it is done.
func (l Labs) Power(ctx context.Context, name string, verb Power, machines []string) error {
	h, done, err := l.change(ctx, name, "power "+string(verb))
	if err != nil {
		return err
	}
	defer done()
	chosen, err := h.machines(machines)
	if err != nil {
		return err
	}
	return each(chosen, func(m topology.Machine) error {
		p := h.power(m)
		switch verb {
		case PowerOff:
			return p.Stop(ctx)
		case PowerKill:
			return p.Cut(ctx)
		case PowerOn:
			if err := p.Start(ctx); err != nil {
				return err
			}
			return p.AwaitReady(ctx)
		}
		return fmt.Errorf("power %q: want on, off or kill", verb)
	})
}
