package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyFile limits the inotify instances of one user. All machines' root is
// this machine's root: an idle systemd takes seven, a kubelet and containerd
// some twenty more, and the kernel's default is 128 for all of them. A machine
// that gets none boots degraded, or not at all.
const inotifyFile = "/proc/sys/fs/inotify/max_user_instances"

// inotifyInstances is enough for more machines than fit into memory. What is
// not used costs nothing.
const inotifyInstances = 8192

// raiseLimits raises what this machine allows too few of; until its next boot.
func (l Labs) raiseLimits(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("this machine's limits: %w", err)
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if have >= inotifyInstances {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(inotifyInstances)), 0); err != nil {
		return fmt.Errorf("this machine's limits: %w: run `sysctl fs.inotify.max_user_instances=%d`", err, inotifyInstances)
	}
	l.say("raised this machine's fs.inotify.max_user_instances from %d to %d", have, inotifyInstances)
	return nil
}
