package lock

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"syscall"
)

// Me is a claim of this process: who runs it, and where.
func Me(run, reason string) Claim {
	name, machine := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		machine = h
	}
	return Claim{Run: run, Owner: name + "@" + machine, PID: os.Getpid(), Reason: reason, Process: process("/proc", os.Getpid())}
}

// process names a process so that no other one on any machine has that name: the
// machine's boot, its namespace of process IDs, the ID, and when it was started. It
// is empty where the system does not tell.
func process(proc string, pid int) string {
	boot, err := os.ReadFile(proc + "/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink(proc + "/self/ns/pid")
	if err != nil {
		return ""
	}
	started := startedAt(proc, pid)
	if started == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/%d/%s", strings.TrimSpace(string(boot)), space, pid, started)
}

// startedAt is when a process was started, in ticks since boot; empty when there
// is none of that ID, when only what is left of an ended one is there, or when it is
// not ours to know.
func startedAt(proc string, pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", proc, pid))
	if err != nil {
		return ""
	}
	end := strings.LastIndex(string(stat), ") ") // its name may hold anything, but it ends there
	if end < 0 {
		return ""
	}
	fields := strings.Fields(string(stat)[end+2:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// Dead reports whether a claim's process was one of this machine, and has ended:
// nobody has to wait for its lease.
func (c Claim) Dead() bool {
	const proc = "/proc"
	own := strings.Split(process(proc, os.Getpid()), "/")
	its := strings.Split(c.Process, "/")
	if len(own) != 4 || len(its) != 4 || own[0] != its[0] || own[1] != its[1] || c.PID <= 0 {
		return false // of another machine, or it cannot be told
	}
	// Where others' processes are hidden, they cannot be read, but they are there.
	if err := syscall.Kill(c.PID, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	started := startedAt(proc, c.PID)
	return started != "" && started != its[3]
}
