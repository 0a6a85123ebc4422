package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

const (
	// shutdownLimit is how long a machine may take to shut down in order.
	shutdownLimit = 30 * time.Second
	// rebootStatus is how nspawn says that the machine asked for a reboot.
	rebootStatus = 133
)

// Spawn starts a program of this binary (its arguments follow) in a control
// group. It outlives this command; its output is appended to the file log.
func Spawn(tree cgroup.Tree, group, log string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(self, args...) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	// From here on it counts as running, also before it has done anything.
	if err := tree.Move(group, cmd.Process.Pid); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	return cmd.Process.Release()
}

// Keep is the keeper: it runs the machine until it is switched off. A cancelled
// ctx shuts the machine down in order, and at once after shutdownLimit.
func Keep(ctx context.Context, dir state.Dir, lab topology.Lab, m topology.Machine) error {
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	if err := tree.Enter(keeperGroup(lab.Name, m.Name)); err != nil {
		return err
	}
	for {
		status, err := keepOnce(ctx, dir, lab, m)
		if err != nil || status != rebootStatus {
			return err
		}
	}
}

// keepOnce is one life of the machine, from power on to power off or reboot.
func keepOnce(ctx context.Context, dir state.Dir, lab topology.Lab, m topology.Machine) (status int, err error) {
	wiring := context.WithoutCancel(ctx)
	if err := network.Attach(wiring, lab, m); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, network.Detach(wiring, lab, m)) }()
	if err := reshape(wiring, dir, lab, m.Name); err != nil {
		return 0, err
	}
	if m.Role == topology.Router {
		if err := installImish(dir, m); err != nil {
			return 0, fmt.Errorf("%s: imish: %w", m.Name, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "internal", "boot", "--state-dir", string(dir.Root), "--lab", lab.Name, m.Name) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// nspawn passes SIGTERM on as an orderly halt.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = shutdownLimit
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == rebootStatus:
		return rebootStatus, nil
	case ctx.Err() != nil:
		return 0, nil // switched off, as asked
	case err != nil:
		return 0, fmt.Errorf("%s: %w", m.Name, err)
	}
	return 0, nil
}

// Boot is the booter: in a mount namespace of its own it puts the machine's
// disk together and becomes systemd-nspawn. It returns only on failure.
func Boot(dir state.Dir, lab topology.Lab, m topology.Machine) error {
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	if err := tree.Enter(BootGroup(lab.Name, m.Name)); err != nil {
		return err
	}
	root, err := assemble(dir, m)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	nspawn, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	env := append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_NSPAWN_USE_CGNS=1", "TERM=dumb")
	return fmt.Errorf("%s: %w", m.Name, syscall.Exec(nspawn, nspawnArgs(dir, lab, m, root), env))
}

// assemble mounts the machine's disk: its image below, its own files above.
// The mounts are private to this process and what it becomes.
func assemble(dir state.Dir, m topology.Machine) (root string, err error) {
	// A mount made here must not appear outside; one that is undone outside (a
	// removed network namespace) must not be held on to here.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return "", fmt.Errorf("mount namespace: %w", err)
	}
	// nspawn keeps notes below /run/systemd/nspawn; ours end with the namespace.
	if err := os.MkdirAll("/run/systemd/nspawn", 0o755); err != nil {
		return "", err
	}
	if err := syscall.Mount("tmpfs", "/run/systemd/nspawn", "tmpfs", 0, "mode=0755"); err != nil {
		return "", fmt.Errorf("mount /run/systemd/nspawn: %w", err)
	}
	image, err := os.Readlink(dir.Machine(m.Name, "image"))
	if err != nil {
		return "", err
	}
	root = dir.Machine(m.Name, "root")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, dir.Machine(m.Name, "upper"), dir.Machine(m.Name, "work"))
	if err := syscall.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("mount overlay (%s): %w", options, err)
	}
	return root, purge(root, dir.Machine(m.Name, "purged"), m.Without)
}

// purge takes packages off the machine's disk before its first boot.
func purge(root, marker string, packages []string) error {
	if _, err := os.Stat(marker); len(packages) == 0 || err == nil {
		return nil
	}
	args := append([]string{root, "dpkg", "--purge"}, packages...)
	if out, err := exec.Command("chroot", args...).CombinedOutput(); err != nil { //nolint:gosec // names from the command line of root
		return fmt.Errorf("taking off %s: %w: %s", strings.Join(packages, ", "), err, out)
	}
	return os.WriteFile(marker, nil, 0o644)
}

func nspawnArgs(dir state.Dir, lab topology.Lab, m topology.Machine, root string) []string {
	args := []string{
		"systemd-nspawn", "--quiet", "--boot",
		"--directory=" + root,
		"--machine=" + lab.Name + "-" + m.Name, "--hostname=" + m.Name,
		"--network-namespace-path=/run/netns/" + network.Namespace(lab.Name, m.Name),
		// This machine's PID 1 need not be systemd.
		"--register=no", "--keep-unit",
		// A kubelet and a container runtime do everything root can.
		"--capability=all",
		"--system-call-filter=@keyring bpf perf_event_open @mount @module",
		"--bind=/dev/kmsg", "--console=pipe",
	}
	if _, err := os.Stat("/dev/fuse"); err == nil {
		args = append(args, "--bind=/dev/fuse")
	}
	for _, d := range dataDirs {
		args = append(args, "--bind="+dir.Machine(m.Name, "data", filepath.Base(d))+":"+d)
	}
	return args
}
