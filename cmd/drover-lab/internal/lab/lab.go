package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// Labs are the labs of this machine.
type Labs struct {
	Root     state.Root
	Cache    string    // images and components
	Progress io.Writer // what is being done, for people
}

// lockPatience is how long a command waits for another that works on the same
// lab: as long as a person would before asking what is wrong.
const lockPatience = 5 * time.Second

// say tells people what is being done.
func (l Labs) say(format string, args ...any) {
	fmt.Fprintf(l.Progress, format+"\n", args...)
}

// Find settles which lab a command means: the one named, or the only one.
func (l Labs) Find(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	names, err := l.Root.Labs()
	if err == nil && len(names) == 0 {
		names, err = l.Root.Begun()
	}
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 1:
		return names[0], nil
	case 0:
		return "", errors.New("there is no lab on this machine: `drover-lab up DIR` makes one")
	default:
		return "", fmt.Errorf("there are %d labs on this machine (%s): say which with --lab", len(names), strings.Join(names, ", "))
	}
}

// handle is a lab that is there, ready to be worked with.
type handle struct {
	dir  state.Dir
	lab  topology.Lab
	tree cgroup.Tree
}

func (l Labs) open(name string) (handle, error) {
	if os.Geteuid() != 0 {
		return handle{}, errors.New("drover-lab works on machines, and is not root: run it as root, as in `sudo drover-lab …`")
	}
	name, err := l.Find(name)
	if err != nil {
		return handle{}, err
	}
	h := handle{dir: l.Root.Lab(name)}
	if h.lab, err = h.dir.Load(); err != nil {
		return handle{}, err
	}
	h.tree, err = cgroup.Open()
	return h, err
}

// change opens a lab and takes the right to change it; done gives it back.
func (l Labs) change(ctx context.Context, name, what string) (h handle, done func(), err error) {
	if h, err = l.open(name); err != nil {
		return h, nil, err
	}
	lock, err := lockfile.Acquire(ctx, h.dir.LockPath(), what, lockPatience)
	if err != nil {
		return h, nil, fmt.Errorf("lab %q: %w", h.lab.Name, err)
	}
	// The lab may have gone or changed while we waited.
	if h.lab, err = h.dir.Load(); err != nil {
		lock.Unlock()
		return h, nil, err
	}
	if err := h.tree.Enter(machine.WorkGroup(h.lab.Name)); err != nil {
		lock.Unlock()
		return h, nil, err
	}
	return h, func() { lock.Unlock() }, nil
}

func (h handle) power(m topology.Machine) machine.Power {
	return machine.Power{Dir: h.dir, Lab: h.lab, Machine: m, Tree: h.tree}
}

func (h handle) machine(name string) (topology.Machine, error) {
	if m, ok := h.lab.Machine(name); ok {
		return m, nil
	}
	var names []string
	for _, m := range h.lab.Machines {
		names = append(names, m.Name)
	}
	return topology.Machine{}, fmt.Errorf("%q is no machine of lab %q: it has %s", name, h.lab.Name, strings.Join(names, ", "))
}

func (h handle) machines(names []string) ([]topology.Machine, error) {
	var chosen []topology.Machine
	for _, name := range names {
		m, err := h.machine(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, m)
	}
	return chosen, nil
}

// each does the same for several machines at once and returns every error, in
// the machines' order.
func each(machines []topology.Machine, do func(topology.Machine) error) error {
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() { errs[i] = do(m) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Load is a lab and one of its machines, for the programs that keep it running.
func (l Labs) Load(lab, machine string) (topology.Lab, topology.Machine, error) {
	h := handle{dir: l.Root.Lab(lab)}
	var err error
	if h.lab, err = h.dir.Load(); err != nil {
		return h.lab, topology.Machine{}, err
	}
	m, err := h.machine(machine)
	return h.lab, m, err
}

// Machine is one machine of a lab.
func (l Labs) Machine(lab, machine string) (topology.Machine, error) {
	_, m, err := l.Load(lab, machine)
	return m, err
}
