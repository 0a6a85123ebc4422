package debian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAptSources(t *testing.T) {
	write := func(t *testing.T, dir, name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("only the files that name the suite", func(t *testing.T) {
		dir := t.TempDir()
		list := write(t, dir, "sources.list", "deb http://mirror/debian bookworm main\n")
		deb822 := write(t, dir, "sources.list.d/debian.sources", "Types: deb\nSuites: bookworm bookworm-updates\n")
		write(t, dir, "sources.list.d/sdk.list", "deb http://sdk/apt cloud-sdk-bookworm main\n")
		write(t, dir, "sources.list.d/off.list", "# deb http://mirror/debian bookworm main\n")
		write(t, dir, "sources.list.d/off.sources.disabled", "Suites: bookworm\n")
		got, err := aptSources(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{list, deb822}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("another suite's machine uses Debian's own mirror", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "sources.list", "deb http://archive.ubuntu.com/ubuntu noble main\n")
		got, err := aptSources(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{fallbackMirror}, got); diff != "" {
			t.Error(diff)
		}
	})
}
