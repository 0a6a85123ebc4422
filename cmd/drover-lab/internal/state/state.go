package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// DefaultRoot holds all labs of this machine.
const DefaultRoot = "/var/lib/drover-lab"

// Root is the directory of all labs.
type Root string

// Dir is the directory of one lab.
type Dir struct {
	Root Root
	Lab  string
}

// Lab is the directory of the lab of that name, which need not exist.
func (r Root) Lab(name string) Dir { return Dir{Root: r, Lab: name} }

// Labs are the names of the labs that have left anything on disk.
func (r Root) Labs() ([]string, error) {
	return r.names(func(e fs.DirEntry) (string, bool) {
		return e.Name(), e.IsDir() && e.Name()[0] != '.'
	})
}

// Begun are the names of labs that a command has worked on: also those whose up
// was killed before it wrote anything but its lock.
func (r Root) Begun() ([]string, error) {
	return r.names(func(e fs.DirEntry) (string, bool) {
		name, ok := strings.CutSuffix(strings.TrimPrefix(e.Name(), "."), ".lock")
		return name, ok && e.Name()[0] == '.'
	})
}

func (r Root) names(of func(fs.DirEntry) (string, bool)) ([]string, error) {
	entries, err := os.ReadDir(string(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("labs of this machine: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := of(e); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Path joins elements below the lab's directory.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{string(d.Root), d.Lab}, elem...)...)
}

// Machine joins elements below a machine's directory.
func (d Dir) Machine(name string, elem ...string) string {
	return d.Path(append([]string{"machines", name}, elem...)...)
}

// SSHConfig is the ssh_config that reaches every machine of the lab.
func (d Dir) SSHConfig() string { return d.Path("ssh_config") }

// KnownHosts lists the host keys of every machine.
func (d Dir) KnownHosts() string { return d.Path("known_hosts") }

// Key is the private key every machine of the lab lets in.
func (d Dir) Key() string { return d.Path("id_ed25519") }

func (d Dir) file() string { return d.Path("lab.json") }

// ErrNoLab says that no lab of that name was ever completed far enough to know
// what it consists of.
var ErrNoLab = errors.New("no such lab")

// Load reads what the lab is; ErrNoLab when there is none.
func (d Dir) Load() (topology.Lab, error) {
	var lab topology.Lab
	content, err := os.ReadFile(d.file())
	if errors.Is(err, fs.ErrNotExist) {
		return lab, fmt.Errorf("lab %q: %w", d.Lab, ErrNoLab)
	}
	if err != nil {
		return lab, fmt.Errorf("lab %q: %w", d.Lab, err)
	}
	if err := json.Unmarshal(content, &lab); err != nil {
		return lab, fmt.Errorf("lab %q: %s: %w", d.Lab, d.file(), err)
	}
	return lab, nil
}

// Save writes what the lab is, unless the file says so already.
func (d Dir) Save(lab topology.Lab) error {
	content, err := json.MarshalIndent(lab, "", "  ")
	if err != nil {
		return fmt.Errorf("lab %q: %w", d.Lab, err)
	}
	content = append(content, '\n')
	if have, err := os.ReadFile(d.file()); err == nil && bytes.Equal(have, content) {
		return nil
	}
	if err := renameio.WriteFile(d.file(), content, 0o644); err != nil {
		return fmt.Errorf("lab %q: %w", d.Lab, err)
	}
	return nil
}

// LockPath is the file to lock before changing the lab. It lies beside the lab's
// directory, so that removing the one does not remove the other.
func (d Dir) LockPath() string { return filepath.Join(string(d.Root), "."+d.Lab+".lock") }
