package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// run runs a command with a standard input and returns its output.
func run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// ip runs a batch of ip commands, one a line, in a namespace ("" is this one).
// It stops at the first that fails and names it.
func ip(ctx context.Context, namespace string, lines ...string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	_, err := run(ctx, strings.Join(lines, "\n")+"\n", "ip", args...)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(lines, "\n"))
	}
	return nil
}

// inside runs a command in a namespace.
func inside(ctx context.Context, namespace, stdin, name string, args ...string) (string, error) {
	return run(ctx, stdin, "ip", append([]string{"netns", "exec", namespace, name}, args...)...)
}

// Enter runs f with its thread in the namespace, so that sockets f opens and
// processes f starts belong to it. f must not start goroutines that need it.
func Enter(namespace string, f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace: %w", err)
	}
	defer unix.Close(home)
	target, err := unix.Open(namespaceDir+"/"+namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	defer unix.Close(target)
	if err := unix.Setns(target, syscall.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	ferr := f()
	if err := unix.Setns(home, syscall.CLONE_NEWNET); err != nil {
		// The thread stays locked: it ends with the goroutine instead of
		// carrying the wrong namespace back into the scheduler's pool.
		return fmt.Errorf("leaving namespace %s: %w", namespace, err)
	}
	runtime.UnlockOSThread()
	return ferr
}

// links are the names of the interfaces of a namespace ("" is this one), those
// that `ip link show` selects.
func links(ctx context.Context, namespace string, selected ...string) (map[string]bool, error) {
	args := append([]string{"-j", "link", "show"}, selected...)
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	out, err := run(ctx, "", "ip", args...)
	if err != nil {
		return nil, err
	}
	var found []struct {
		Name string `json:"ifname"`
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return nil, fmt.Errorf("ip link show: %w", err)
	}
	names := map[string]bool{}
	for _, l := range found {
		names[l.Name] = true
	}
	return names, nil
}
