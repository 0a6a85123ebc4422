package hosttest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// scripted runs the very script that was sent, by this machine's sh, on copies of
// the files of one directory, which is the script's second argument.
func scripted(s *State, c Call) host.Result {
	if c.Script == "" || len(c.Argv) < 3 {
		return refused(c)
	}
	res, err := s.run(c)
	if err != nil {
		return fail(74, "hosttest: %v", err)
	}
	return res
}

func (s *State) run(c Call) (host.Result, error) {
	dir := c.Argv[2]
	base, err := os.MkdirTemp(memory(), "drover-hosttest-")
	if err != nil {
		return host.Result{}, err
	}
	defer os.RemoveAll(base)
	top := filepath.Join(base, "machine")
	copied := filepath.Join(top, filepath.Base(dir))
	for _, name := range s.Below(dir) {
		at := copied + strings.TrimPrefix(name, dir)
		if f := s.Files[name]; f.Kind == Directory {
			err = os.MkdirAll(at, 0o700)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, []byte(f.Content), f.Mode))
		}
		if err != nil {
			return host.Result{}, err
		}
	}
	argv := append([]string{"-c", c.Script}, c.Argv...)
	argv[4] = copied
	cmd := exec.Command("sh", argv...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), &out, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return host.Result{}, err
	}
	back := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(copied), []byte(dir)) }
	return host.Result{Stdout: back(out.Bytes()), Stderr: back(said.Bytes()), Exit: cmd.ProcessState.ExitCode()}, s.take(copied, dir)
}

// take has the machine hold what a directory of this machine holds now.
func (s *State) take(from, dir string) error {
	was := map[string]File{}
	for _, name := range s.Below(dir) {
		was[name] = s.Files[name]
		delete(s.Files, name)
	}
	return filepath.WalkDir(from, func(at string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && at == from {
			return nil
		}
		if err != nil {
			return err
		}
		name := dir + strings.TrimPrefix(at, from)
		info, err := d.Info()
		if err != nil {
			return err
		}
		now := File{Kind: Directory, Mode: info.Mode().Perm(), Owner: "root:root"}
		if !d.IsDir() {
			text, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			now.Kind, now.Content = Regular, string(text)
		}
		if err := s.MakeDirs(filepath.Dir(dir)); err != nil {
			return err
		}
		now.Mtime = was[name].Mtime
		if now != was[name] {
			now.Mtime = s.Now
		}
		s.Files[name] = now
		return nil
	})
}

// memory is a directory in which nothing waits for a disk, where there is one.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}
