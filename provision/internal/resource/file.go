package resource

import (
	"context"
	"fmt"
	"io/fs"
	"path"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/plan"
)

// File is a file with content that drover renders.
type File struct {
	Host    string
	Path    string
	Content []byte
	Digest  string // of the content, if it is known already
	Mode    fs.FileMode
	Owner   string // "root:root" when empty
	Needs   []plan.ID
	At      *diag.Range
}

// FileID is the ID of a file on a host.
func FileID(hostname, path string) plan.ID { return plan.NewID(hostname, "file", path) }

// Item is the file's digest, mode and owner.
func (f File) Item() plan.Item {
	if f.Digest == "" {
		f.Digest = digest(f.Content)
	}
	return plan.Item{ID: FileID(f.Host, f.Path), Needs: f.Needs, At: f.At, Want: plan.State{
		"content": f.Digest, "mode": modeWord(f.Mode), "owner": ownerWord(f.Owner),
	}}
}

// Scope is the file.
func (f File) Scope() facts.Scope { return facts.Scope{Paths: []string{f.Path}} }

// Observe tells the file's digest, mode and owner.
func (f File) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(FileID(f.Host, f.Path))
	if err != nil {
		return nil, err
	}
	return fileState(snap, f.Path)
}

// Files is the file.
func (f File) Files(plan.Change) ([]host.File, error) {
	return []host.File{{Path: f.Path, Content: f.Content, FileMeta: host.FileMeta{Mode: f.Mode, Owner: f.Owner}}}, nil
}

// Apply replaces the file.
func (f File) Apply(ctx context.Context, w World, c plan.Change) error { return write(ctx, w, f, c) }

func fileState(snap facts.Snapshot, p string) (plan.State, error) {
	if _, dir := snap.Dirs[p]; dir {
		return plan.State{"content": "a directory"}, nil
	}
	have, ok := snap.Files[p]
	switch {
	case !ok:
		return nil, nil
	case have.Link != "":
		return plan.State{"content": "a link to " + have.Link}, nil
	case have.SHA256 == "":
		return plan.State{"content": fmt.Sprintf("%d bytes, too many to be drover's", have.Size)}, nil
	}
	return plan.State{"content": have.SHA256, "mode": modeWord(have.Mode), "owner": have.Owner}, nil
}

// Dir is a directory that must exist with a mode of its own before anything is
// put into it.
type Dir struct {
	Host  string
	Path  string
	Mode  fs.FileMode
	Needs []plan.ID
}

// DirID is the ID of a directory on a host.
func DirID(hostname, path string) plan.ID { return plan.NewID(hostname, "dir", path) }

// Item is the directory's mode.
func (d Dir) Item() plan.Item {
	return plan.Item{ID: DirID(d.Host, d.Path), Needs: d.Needs, Want: plan.State{"mode": modeWord(d.Mode)}}
}

// Scope is the directory.
func (d Dir) Scope() facts.Scope { return facts.Scope{Paths: []string{d.Path}} }

// Observe tells the directory's mode.
func (d Dir) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(d.Item().ID)
	if err != nil {
		return nil, err
	}
	if have, ok := snap.Dirs[d.Path]; ok {
		return plan.State{"mode": modeWord(have.Mode)}, nil
	}
	if _, ok := snap.Files[d.Path]; ok {
		return plan.State{"mode": "not a directory"}, nil
	}
	return nil, nil
}

// Apply makes the directory; a file in its place is an error, not removed.
func (d Dir) Apply(ctx context.Context, w World, _ plan.Change) error {
	h, err := w.Host(d.Host)
	if err != nil {
		return err
	}
	_, err = h.Run(ctx, host.Cmd{Argv: []string{"install", "-d", "-m", fmt.Sprintf("%04o", d.Mode), d.Path}})
	return err
}

// NoFile is a file that must not be there: one of drover's own that is no longer
// wanted.
type NoFile struct {
	Host  string
	Path  string
	Needs []plan.ID
}

// Item wants nothing.
func (f NoFile) Item() plan.Item { return plan.Item{ID: FileID(f.Host, f.Path), Needs: f.Needs} }

// Scope is the file.
func (f NoFile) Scope() facts.Scope { return facts.Scope{Paths: []string{f.Path}} }

// Observe tells whether the file is there.
func (f NoFile) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(f.Item().ID)
	if err != nil {
		return nil, err
	}
	return fileState(snap, f.Path)
}

// Apply removes the file.
func (f NoFile) Apply(ctx context.Context, w World, _ plan.Change) error {
	h, err := w.Host(f.Host)
	if err != nil {
		return err
	}
	_, err = h.Run(ctx, host.Cmd{Argv: []string{"rm", "-f", "--", f.Path}})
	return err
}

func modeWord(m fs.FileMode) string { return fmt.Sprintf("%04o", m&0o7777) }

func ownerWord(owner string) string {
	if owner == "" {
		return "root:root"
	}
	return owner
}

// under is a path below a directory.
func under(dir string, elem ...string) string { return path.Join(append([]string{dir}, elem...)...) }
