package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWriteIsReproducible(t *testing.T) {
	archive := func(age time.Duration, reverse bool) []byte {
		dir := t.TempDir()
		for _, name := range []string{"b", "a"} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
			when := time.Now().Add(-age)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		entries := []Entry{
			Dir("bin", 0o755), File("bin/a", filepath.Join(dir, "a"), 0o755), File("bin/b", filepath.Join(dir, "b"), 0o755),
		}
		if reverse {
			entries[0], entries[2] = entries[2], entries[0]
		}
		out := filepath.Join(t.TempDir(), "out.tar.gz")
		if err := WriteFile(out, entries); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	if !bytes.Equal(archive(0, false), archive(time.Hour, true)) {
		t.Error("the same files at another time and in another order make another archive")
	}
}

// headers reads back what matters of each entry.
func headers(t *testing.T, r io.Reader) []string {
	t.Helper()
	var got []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name+" "+h.Linkname+string(content)+h.PAXRecords["SCHILY.xattr.security.capability"])
	}
}

func TestWriteKinds(t *testing.T) {
	var out bytes.Buffer
	err := Write(&out, []Entry{
		{Name: "a-link", Hardlink: "bin/x", Mode: 0o755},
		{Name: "bin/x", Content: []byte("X"), Mode: 0o755 | fs.ModeSetuid, Xattrs: map[string]string{"security.capability": "\x01\x00"}},
		Symlink("lib", "usr/lib"), Dir("tmp", 0o777|fs.ModeSticky), Text("empty", "", 0o644),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"urwxr-xr-x bin/x X\x01\x00", "-rw-r--r-- empty ", "Lrwxrwxrwx lib usr/lib",
		"dtrwxrwxrwx tmp/ ", "-rwxr-xr-x a-link bin/x",
	}
	if diff := cmp.Diff(want, headers(t, &out)); diff != "" {
		t.Error(diff)
	}
}

func TestUnderAndFilter(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc/service"), 0o555); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run"), []byte("#!/bin/sh"), 0o555); err != nil {
		t.Fatal(err)
	}
	entries, err := Under("x", dir)
	if err != nil {
		t.Fatal(err)
	}
	src, dst := filepath.Join(t.TempDir(), "src.tar"), filepath.Join(t.TempDir(), "dst.tar")
	if err := WriteFile(src, append(entries, Text("./dev/null", "", 0o666))); err != nil {
		t.Fatal(err)
	}
	if err := Filter(dst, src, func(name string) bool { return name == "dev/null" }); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []string{"drwxr-xr-x x/etc/ ", "drwxr-xr-x x/etc/service/ ", "-rwxr-xr-x x/run #!/bin/sh"}
	if diff := cmp.Diff(want, headers(t, f)); diff != "" {
		t.Error(diff)
	}
}
