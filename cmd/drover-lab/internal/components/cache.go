package components

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// recordName is written last: a set's directory without it is not a set.
const recordName = "manifest.json"

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 200 * time.Millisecond

// Cache is a directory that holds built sets.
type Cache struct{ Dir string }

// DefaultCache is $XDG_CACHE_HOME/drover-lab, or ~/.cache/drover-lab.
func DefaultCache() (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("component cache: %w: set XDG_CACHE_HOME or name a directory", err)
	}
	return Cache{Dir: filepath.Join(dir, "drover-lab")}, nil
}

// record is the manifest of a built set. Its paths are relative to the set's
// directory, so that a cache can be moved.
type record struct {
	Set       string        `json:"set"`
	Version   string        `json:"version"`
	Key       string        `json:"key"`
	Took      time.Duration `json:"took"`
	Artifacts []Artifact    `json:"artifacts"`
	Images    []Image       `json:"images"`
}

func (c Cache) root() string { return filepath.Join(c.Dir, "components") }

func (c Cache) setDir(name, key string) string { return filepath.Join(c.root(), name+"-"+key[:12]) }

// workDir is where a set is put together. There is one per set: who holds the
// set's lock owns it, so whatever lies there was left by a build that died.
func (c Cache) workDir(name string) string { return filepath.Join(c.root(), ".building-"+name) }

// lock takes the lock of a set, saying so once when somebody else has it. The
// kernel releases it with the process, however that ends.
func (c Cache) lock(ctx context.Context, name string, waiting func()) (unlock func() error, err error) {
	if err := os.MkdirAll(c.root(), 0o755); err != nil {
		return nil, fmt.Errorf("component cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(c.root(), "."+name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("component cache: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), context.Cause(ctx)), f.Close())
		case <-time.After(lockPoll):
		}
	}
}

// load reads the set in dir; nil means that there is none, or that some of its
// files are gone. Contents are not read again: that is what digests are for,
// where the files are installed.
func load(dir string) (*record, error) {
	raw, err := os.ReadFile(filepath.Join(dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("component cache: %w", err)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("component cache: %s: %w: remove the directory and build again", filepath.Join(dir, recordName), err)
	}
	for i := range r.Artifacts {
		a := &r.Artifacts[i]
		a.File = filepath.Join(dir, a.File)
		if info, err := os.Stat(a.File); err != nil || info.Size() != a.Size {
			return nil, nil
		}
	}
	for i := range r.Images {
		r.Images[i].Dir = filepath.Join(dir, r.Images[i].Dir)
		if _, err := os.Stat(filepath.Join(r.Images[i].Dir, "index.json")); err != nil {
			return nil, nil
		}
	}
	return &r, nil
}

// publish turns the finished work directory into the set's directory.
func (c Cache) publish(work string, r record) (string, error) {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("component cache: %w", err)
	}
	// What the manifest vouches for has to be on disk before the manifest is.
	if err := syncTree(work); err != nil {
		return "", fmt.Errorf("component cache: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(work, recordName), append(raw, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("component cache: %w", err)
	}
	dir := c.setDir(r.Set, r.Key)
	// A directory in the way is a set that lost files: load refused it.
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("component cache: %w", err)
	}
	if err := os.Rename(work, dir); err != nil {
		return "", fmt.Errorf("component cache: %w", err)
	}
	return dir, nil
}

func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
