package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// BusyError says who holds a lock.
type BusyError struct{ Holder string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("another drover-lab is at work (%s): wait for it, or stop it", e.Holder)
}

// Lock is a lock that is held.
type Lock struct{ file *os.File }

// Acquire takes the lock at path, waiting up to patience for it, and fails with
// a *BusyError after that. The kernel frees it when the holder dies, however it
// dies. What is being done, in a few words, is told to those who wait.
func Acquire(ctx context.Context, path, what string, patience time.Duration) (*Lock, error) {
	deadline := time.Now().Add(patience)
	for {
		lock, holder, err := tryLock(path, what)
		if err != nil || lock != nil {
			return lock, err
		}
		if !time.Now().Before(deadline) {
			return nil, &BusyError{Holder: holder}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another drover-lab (%s): %w", holder, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryLock takes the lock or tells who has it.
func tryLock(path, what string) (*Lock, string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := os.ReadFile(path) // only words for the message
		f.Close()
		return nil, strings.TrimSpace(string(holder)), nil
	}
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("lock %s: %w", path, err)
	}
	// Its last holder may have removed the file between our open and our lock:
	// then this is a lock on nothing, and the next round makes a new file.
	opened, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	if current, err := os.Stat(path); err != nil || !os.SameFile(opened, current) {
		f.Close()
		return nil, "just finished", nil
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	if _, err := fmt.Fprintf(f, "%s, pid %d\n", what, os.Getpid()); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	return &Lock{file: f}, "", nil
}

// Unlock frees the lock and leaves the file.
func (l *Lock) Unlock() error { return l.file.Close() }

// Remove frees the lock and removes its file: for the last use of a path. Who
// waits for it notices and makes the file anew.
func (l *Lock) Remove() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}
