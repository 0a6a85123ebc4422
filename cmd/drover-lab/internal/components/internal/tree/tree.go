package tree

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// epoch is the modification time of every entry. Zero would be as constant, but
// some programs (and people) take 1970 for a fault.
func epoch() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// Entry is one member of an archive. Exactly one of File, Content, Symlink and
// Hardlink says what it holds; with none of them it is a directory when Mode
// says so, else an empty file.
type Entry struct {
	Name     string // without a leading slash
	Mode     fs.FileMode
	UID, GID int
	File     string // a local file
	Content  []byte
	Symlink  string
	Hardlink string            // the name of an earlier entry
	Xattrs   map[string]string // such as security.capability
}

// Dir is a directory.
func Dir(name string, mode fs.FileMode) Entry { return Entry{Name: name, Mode: fs.ModeDir | mode} }

// File is a copy of a local file.
func File(name, local string, mode fs.FileMode) Entry {
	return Entry{Name: name, File: local, Mode: mode}
}

// Text is a file with the given content.
func Text(name, content string, mode fs.FileMode) Entry {
	return Entry{Name: name, Content: []byte(content), Mode: mode}
}

// Symlink is a symbolic link to target.
func Symlink(name, target string) Entry { return Entry{Name: name, Symlink: target, Mode: 0o777} }

// Under is what dir holds, with every name below prefix. The modes of files
// become 0755 or 0644 by whether they are executable: a module cache is
// read-only, which says nothing about its files.
func Under(prefix, dir string) ([]Entry, error) {
	var entries []Entry
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." {
			return err
		}
		name := path.Join(prefix, filepath.ToSlash(rel))
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			entries = append(entries, Dir(name, 0o755))
		case info.Mode()&0o111 != 0:
			entries = append(entries, File(name, p, 0o755))
		default:
			entries = append(entries, File(name, p, 0o644))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("files of %s: %w", dir, err)
	}
	return entries, nil
}

// Write writes entries as a tar archive, sorted by name; a hard link follows
// the entries it may point at. A directory may be named more than once, anything
// else is a mistake.
func Write(w io.Writer, entries []Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if (a.Hardlink == "") != (b.Hardlink == "") {
			if a.Hardlink == "" {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	tw := tar.NewWriter(w)
	for i, e := range entries {
		if i > 0 && entries[i-1].Name == e.Name {
			if e.Mode.IsDir() && entries[i-1].Mode.IsDir() {
				continue
			}
			return fmt.Errorf("archive: %s is in it twice", e.Name)
		}
		if err := add(tw, e); err != nil {
			return fmt.Errorf("archive %s: %w", e.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// WriteFile writes entries to the tar archive name, gzipped unless it ends in .tar.
func WriteFile(name string, entries []Entry) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if filepath.Ext(name) == ".tar" {
		return Write(f, entries)
	}
	// The fastest level: these archives travel over a network of one machine.
	zw, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := Write(zw, entries); err != nil {
		return err
	}
	return zw.Close()
}

func add(tw *tar.Writer, e Entry) error {
	h := &tar.Header{
		Name: e.Name, Mode: int64(e.Mode.Perm()), Uid: e.UID, Gid: e.GID,
		ModTime: epoch(), Typeflag: tar.TypeReg, Size: int64(len(e.Content)),
	}
	// Go keeps these bits apart from the permissions; tar does not.
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.Mode&bit != 0 {
			h.Mode |= value
		}
	}
	for name, value := range e.Xattrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+name] = value
	}
	switch {
	case e.File != "":
		return addFile(tw, h, e.File)
	case e.Symlink != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Symlink
	case e.Hardlink != "":
		h.Typeflag, h.Linkname = tar.TypeLink, e.Hardlink
	case e.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, e.Name+"/"
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := tw.Write(e.Content)
	return err
}

func addFile(tw *tar.Writer, h *tar.Header, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}
