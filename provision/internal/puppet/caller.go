package puppet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Caller is this process with all that have called it: an agent among them waits for
// drover, so drover must not wait for it.
type Caller struct {
	boot, space string
	started     map[int]string // by process ID: when it was, in ticks since boot
}

// mostAncestors bounds the way up.
const mostAncestors = 64

// Self is this process, as proc, which is /proc, tells it. Where that cannot be told,
// nobody is taken for its caller.
func Self(proc string) Caller {
	c := Caller{started: map[int]string{}}
	boot, err := os.ReadFile(proc + "/sys/kernel/random/boot_id")
	space, err2 := os.Readlink(proc + "/self/ns/pid")
	if err != nil || err2 != nil {
		return c
	}
	c.boot, c.space = strings.TrimSpace(string(boot)), space
	for pid := os.Getpid(); pid > 1 && len(c.started) < mostAncestors; {
		parent, started, ok := stat(proc, pid)
		if !ok {
			break
		}
		c.started[pid], pid = started, parent
	}
	return c
}

// stat reads a process's parent and start.
func stat(proc string, pid int) (parent int, started string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", proc, pid))
	if err != nil {
		return 0, "", false
	}
	end := strings.LastIndex(string(text), ") ") // its name may hold anything, but it ends there
	if end < 0 {
		return 0, "", false
	}
	fields := strings.Fields(string(text)[end+2:])
	if len(fields) < 20 {
		return 0, "", false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[19], err == nil
}

// Is reports whether the agent that runs has called this process. The same number on
// another machine, in another container, or of a process that began later is another's.
func (c Caller) Is(s State) bool {
	started, known := c.started[s.PID]
	return s.Running() && known && s.Boot == c.boot && s.Space == c.space && s.Started == started
}
