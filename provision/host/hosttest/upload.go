package hosttest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// upload is an upload called directly: file, mode, owner, size, digest.
func upload(s *State, c Call) host.Result {
	if len(c.Argv) != 6 {
		return refused(c)
	}
	return s.arrive(c.Argv[1:], string(c.Stdin))
}

// staged begins the line on which the directory is named.
const staged = "drover-staged: "

// stage makes the directory that an upload over SFTP goes through: file, user.
// The session removes it when its stdin ends.
func stage(s *State, c Call) host.Result {
	if len(c.Argv) != 3 {
		return refused(c)
	}
	dir, old := path.Dir(c.Argv[1]), path.Join(path.Dir(c.Argv[1]), ".drover-stage."+path.Base(c.Argv[1]))
	if err := s.MakeDirs(dir); err != nil {
		return fail(1, "mkdir: %v", err)
	}
	for _, n := range s.Below(dir) {
		if strings.HasPrefix(n, old+".") {
			delete(s.Files, n)
		}
	}
	s.staged++ // as with mktemp, no name comes twice: an upload that was cut may end after the next has begun
	made := fmt.Sprintf("%s.%d", old, s.staged)
	s.Files[made] = File{Kind: Directory, Mode: 0o700, Owner: c.Argv[2] + ":root", Mtime: s.Now}
	return out(staged + made + "\n")
}

// place gives what was sent its name: directory, file, mode, owner, size, digest.
func place(s *State, c Call) host.Result {
	if len(c.Argv) != 7 {
		return refused(c)
	}
	dir, there := s.Files[c.Argv[1]]
	if !there {
		return fail(1, "chown: cannot access '%s': No such file or directory", c.Argv[1])
	}
	dir.Owner = "root:root"
	s.Files[c.Argv[1]] = dir
	sent := s.Files[c.Argv[1]+"/sent"]
	if sent.Kind != Regular {
		return fail(65, "%s: %s/sent is not the file that was sent", c.Argv[2], c.Argv[1])
	}
	return s.arrive(c.Argv[2:], sent.Content)
}

// arrive writes content whose size and digest are as announced.
func (s *State) arrive(argv []string, content string) host.Result {
	name, owner, size, want := argv[0], argv[2], argv[3], argv[4]
	mode, err := strconv.ParseUint(argv[1], 8, 32)
	if err != nil {
		return fail(64, "hosttest: %q is no mode", argv[1])
	}
	if have := strconv.Itoa(len(content)); have != size {
		return fail(65, "%s: %s of %s bytes arrived", name, have, size)
	}
	if have := sha256.Sum256([]byte(content)); hex.EncodeToString(have[:]) != want {
		return fail(65, "%s: sha256 is %x, not %s", name, have, want)
	}
	if err := s.Put(name, content, fs.FileMode(mode), owner); err != nil {
		return fail(1, "mv: %v", err)
	}
	return host.Result{}
}
