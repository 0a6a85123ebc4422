package hosttest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// State is all that a machine holds. Handlers get it to read and to change.
type State struct {
	Files    map[string]File // by clean absolute name; "/" is always a directory
	Units    map[string]Unit // by full name: kubelet.service
	Sysctls  map[string]string
	Packages map[string]string // name → version of what is installed
	// Now is the machine's clock; it moves a second with every operation that
	// changes something, and not otherwise.
	Now time.Time
	// Reloads counts systemctl daemon-reload.
	Reloads int

	staged int // directories for uploads so far
}

// Kind is what a name in the file system is.
type Kind string

// The kinds of files a machine knows.
const (
	Regular   Kind = "file"
	Directory Kind = "directory"
	Symlink   Kind = "symlink"
)

// File is a name in the file system.
type File struct {
	Kind    Kind
	Content string // of a regular file
	Target  string // of a symlink
	Mode    fs.FileMode
	Owner   string // user:group
	Mtime   time.Time
}

// Unit is a systemd unit.
type Unit struct {
	Enabled, Active bool
	Masked          bool
	Started         time.Time
	Starts          int
	// FailStart is the reason why it does not come up; "" when it does.
	FailStart string
}

func newState() State {
	return State{
		Files: map[string]File{"/": {Kind: Directory, Mode: 0o755, Owner: "root:root"}},
		Units: map[string]Unit{}, Sysctls: map[string]string{}, Packages: map[string]string{},
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (s State) clone() State {
	s.Files, s.Units = maps.Clone(s.Files), maps.Clone(s.Units)
	s.Sysctls, s.Packages = maps.Clone(s.Sysctls), maps.Clone(s.Packages)
	return s
}

// same is whether two states hold the same.
func (s State) same(o State) bool {
	return maps.Equal(s.Files, o.Files) && maps.Equal(s.Units, o.Units) && maps.Equal(s.Sysctls, o.Sysctls) &&
		maps.Equal(s.Packages, o.Packages) && s.Now.Equal(o.Now) && s.Reloads == o.Reloads
}

// Dump is the state as text: equal states have equal dumps.
func (s State) Dump() string {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "hosttest: " + err.Error()
	}
	return string(b)
}

// Put makes a regular file and its parents.
func (s *State) Put(name, content string, mode fs.FileMode, owner string) error {
	return s.put(name, File{Kind: Regular, Content: content, Mode: mode, Owner: owner})
}

func (s *State) put(name string, f File) error {
	if err := s.MakeDirs(path.Dir(path.Clean(name))); err != nil {
		return err
	}
	name = s.Entry(name)
	if old, ok := s.Files[name]; ok && old.Kind == Directory {
		return fmt.Errorf("%s: is a directory", name)
	}
	f.Mtime = s.Now
	s.Files[name] = f
	return nil
}

// MakeDirs makes a directory and its parents (0755 root:root) where they are not.
func (s *State) MakeDirs(name string) error {
	name = path.Clean(name)
	f, at, err := s.Resolve(name)
	switch {
	case err == nil && f.Kind == Directory:
		return nil
	case err == nil:
		return fmt.Errorf("%s: not a directory", at)
	case name == "/":
		return nil
	}
	if err := s.MakeDirs(path.Dir(name)); err != nil {
		return err
	}
	s.Files[s.Entry(name)] = File{Kind: Directory, Mode: 0o755, Owner: "root:root", Mtime: s.Now}
	return nil
}

// Entry is the name itself, a symlink or not, in the real directory that holds
// it.
func (s *State) Entry(name string) string {
	name = path.Clean(name)
	if _, dir, err := s.Resolve(path.Dir(name)); err == nil && name != "/" {
		return path.Join(dir, path.Base(name))
	}
	return name
}

// Resolve follows symlinks, also those on the way, and gives the file and its
// real name.
func (s *State) Resolve(name string) (File, string, error) {
	left := 40
	return s.resolve(path.Clean(name), &left)
}

func (s *State) resolve(name string, left *int) (File, string, error) {
	if *left--; *left < 0 {
		return File{}, name, fmt.Errorf("%s: too many levels of symbolic links", name)
	}
	if name != "/" {
		dir, at, err := s.resolve(path.Dir(name), left)
		if err != nil {
			return File{}, name, err
		}
		if dir.Kind != Directory {
			return File{}, name, fmt.Errorf("%s: not a directory", at)
		}
		name = path.Join(at, path.Base(name))
	}
	f, ok := s.Files[name]
	if !ok {
		return File{}, name, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if f.Kind == Symlink {
		target := f.Target
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		return s.resolve(path.Clean(target), left)
	}
	return f, name, nil
}

// Below are the names in and under a directory, itself included, sorted.
func (s *State) Below(dir string) []string {
	dir = path.Clean(dir)
	var names []string
	for n := range s.Files {
		if n == dir || strings.HasPrefix(n, strings.TrimSuffix(dir, "/")+"/") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}
