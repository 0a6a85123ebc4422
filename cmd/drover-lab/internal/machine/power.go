package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// bootLimit is how long a machine may take until it answers over SSH and its
// systemd has settled. It takes 2 s alone; five at once on two cores, 8 s.
const bootLimit = 2 * time.Minute

// Power switches one machine.
type Power struct {
	Dir     state.Dir
	Lab     topology.Lab
	Machine topology.Machine
	Tree    cgroup.Tree
}

// On reports whether the machine's keeper or anything of it runs.
func (p Power) On() (bool, error) { return p.Tree.Running(Group(p.Lab.Name, p.Machine.Name)) }

// Start switches the machine on unless it is; it does not wait for it to boot.
// One that runs with its cables gone is started anew: it gets them at its start.
func (p Power) Start(ctx context.Context) error {
	on, err := p.On()
	if err != nil {
		return err
	}
	if on {
		wired, err := network.Attached(ctx, p.Lab, p.Machine)
		if err != nil || wired {
			return err
		}
		if err := p.Cut(ctx); err != nil {
			return err
		}
	}
	err = Spawn(p.Tree, keeperGroup(p.Lab.Name, p.Machine.Name), p.Dir.Machine(p.Machine.Name, "console.log"),
		"internal", "keep", "--state-dir", string(p.Dir.Root), "--lab", p.Lab.Name, p.Machine.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Machine.Name, err)
	}
	return nil
}

// Stop shuts the machine down in order and returns when it is off.
func (p Power) Stop(ctx context.Context) error {
	keepers, err := p.Tree.Procs(keeperGroup(p.Lab.Name, p.Machine.Name))
	if err != nil {
		return err
	}
	for _, pid := range keepers {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("%s: %w", p.Machine.Name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit+10*time.Second)
	defer cancel()
	for {
		on, err := p.On()
		if err != nil {
			return err
		}
		if !on {
			return p.Cut(ctx) // nothing runs: only what a crash may have left
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: still running %s after being told to shut down: `drover-lab power kill %s` ends it: %w",
				p.Machine.Name, shutdownLimit+10*time.Second, p.Machine.Name, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Cut takes the machine's power: its network first, as nothing it does while it
// dies may be seen by others; then every process.
func (p Power) Cut(ctx context.Context) error {
	if err := network.Detach(ctx, p.Lab, p.Machine); err != nil {
		return err
	}
	group := Group(p.Lab.Name, p.Machine.Name)
	if err := p.Tree.Kill(ctx, group); err != nil {
		return err
	}
	// A keeper that was just bringing the machine up may have wired it again.
	if err := network.Detach(ctx, p.Lab, p.Machine); err != nil {
		return err
	}
	return p.Tree.Remove(ctx, group)
}

// AwaitReady waits until the machine lets its user in over SSH and systemd has
// finished booting, and fails if units failed.
func (p Power) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	var last error
	for {
		on, err := p.On()
		if err != nil {
			return err
		}
		if !on {
			return fmt.Errorf("%s: went off while booting; the end of its console:\n%s", p.Machine.Name, p.console())
		}
		state, err := p.SystemState(ctx)
		switch {
		case err != nil:
			last = err
		case state == "running":
			return nil
		default:
			return fmt.Errorf("%s: booted, but its system is %s: see `drover-lab ssh %s systemctl --failed`",
				p.Machine.Name, state, p.Machine.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready after %s: %w (last: %w); the end of its console:\n%s",
				p.Machine.Name, bootLimit, ctx.Err(), last, p.console())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// SystemState is what `systemctl is-system-running` says once booting is over,
// asked over SSH as an operator would.
func (p Power) SystemState(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "ssh", "-F", p.Dir.SSHConfig(), "-o", "BatchMode=yes", "-o", "ConnectTimeout=3",
		p.Machine.Name, "systemctl is-system-running --wait; true") //nolint:gosec // our own machine
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ssh: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// console is the end of what the machine's keeper and systemd printed.
func (p Power) console() string {
	content, err := os.ReadFile(p.Dir.Machine(p.Machine.Name, "console.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// SaveRate remembers a bandwidth limit for the machine's next power cycle.
func SaveRate(dir state.Dir, party string, rate network.Rate) error {
	path := dir.Path("rates", party)
	if rate == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(dir.Path("rates"), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(rate.String()+"\n"), 0o644)
}

// Rate is the bandwidth limit a party has, 0 for none.
func Rate(dir state.Dir, party string) (network.Rate, error) {
	content, err := os.ReadFile(dir.Path("rates", party))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return network.ParseRate(strings.TrimSpace(string(content)))
}

func reshape(ctx context.Context, dir state.Dir, lab topology.Lab, party string) error {
	rate, err := Rate(dir, party)
	if err != nil || rate == 0 {
		return err
	}
	return network.Shape(ctx, lab, party, rate)
}
