package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// EnsureKey makes the key that opens the lab's machines, once.
func EnsureKey(dir state.Dir, lab string) error {
	if _, err := os.Stat(dir.Key() + ".pub"); err == nil {
		return nil
	}
	pair, err := newKey("drover-lab " + lab)
	if err != nil {
		return fmt.Errorf("the lab's key: %w", err)
	}
	// The public half last: it is what says that both are there.
	if err := renameio.WriteFile(dir.Key(), pair.private, 0o600); err != nil {
		return fmt.Errorf("the lab's key: %w", err)
	}
	if err := renameio.WriteFile(dir.Key()+".pub", pair.public, 0o644); err != nil {
		return fmt.Errorf("the lab's key: %w", err)
	}
	return nil
}

// WriteAccess writes the lab's known_hosts, from the keys on the machines'
// disks, and its ssh_config.
func WriteAccess(dir state.Dir, lab topology.Lab) error {
	var known, config strings.Builder
	fmt.Fprintf(&config, `# Reaches every machine of lab %q: ssh -F %s HOST
Host *
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 5
  # OpenSSH's default costs 90 ms of CPU a connection, curve25519 12.
  KexAlgorithms curve25519-sha256
`, lab.Name, dir.SSHConfig(), dir.Key(), dir.KnownHosts())
	for _, m := range lab.Machines {
		key, err := os.ReadFile(dir.Machine(m.Name, "upper/etc/ssh/ssh_host_ed25519_key.pub"))
		if err != nil {
			return fmt.Errorf("%s: its host key: %w", m.Name, err)
		}
		fmt.Fprintf(&known, "%s,%s %s\n", m.Name, m.Address(), strings.TrimSpace(string(key)))
		fmt.Fprintf(&config, "\nHost %s %s\n  HostName %s\n  User %s\n", m.Name, m.Address(), m.Address(), m.User())
		if m.Role == topology.Client {
			if router, ok := lab.RouterOf(m); ok {
				fmt.Fprintf(&config, "  ProxyJump %s\n", router.Name)
			}
		}
	}
	return errors.Join(
		writeIfChanged(dir.KnownHosts(), known.String(), 0o644),
		writeIfChanged(dir.SSHConfig(), config.String(), 0o644))
}

// writeIfChanged leaves a file that is right untouched.
func writeIfChanged(path, content string, mode fs.FileMode) error {
	if have, err := os.ReadFile(path); err == nil && string(have) == content {
		return nil
	}
	return renameio.WriteFile(path, []byte(content), mode)
}

func ownerOf(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return 0
}
