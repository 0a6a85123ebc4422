package ssh

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

func me(t *testing.T) *user.User {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The directory of an upload is private, sweeps what earlier ones left, and goes
// when stdin ends; what only looks like its name stays.
func TestStageScript(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b")
	file := filepath.Join(dir, "k*t")
	for _, old := range []string{".drover-stage.k*t.old", ".drover-stage.kubelet.old"} {
		if err := os.MkdirAll(filepath.Join(dir, old, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.Replace(stage, "cat > /dev/null", `stat -c '%a %U' "$stage"`, 1)
	stdout, stderr, exit := shell(t, asRoot().invoke([]string{"sh", "-c", script, "drover-stage", file, me(t).Username}).line, "")
	if exit != 0 || !strings.Contains(stdout, file[:len(dir)]+"/.drover-stage.k*t.") || !strings.HasSuffix(stdout, "\n700 "+me(t).Username+"\n") {
		t.Errorf("%q %q %d", stdout, stderr, exit)
	}
	onlyFile(t, dir, ".drover-stage.kubelet.old")
}

// Only the very file that was sent is put into place, and whatever else its sender
// put beside it is not touched.
func TestPlaceScript(t *testing.T) {
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	for name, c := range map[string]struct {
		put  func(sent, victim string) error
		exit int
	}{
		"as sent":     {func(sent, _ string) error { return os.WriteFile(sent, []byte("good"), 0o644) }, 0},
		"longer":      {func(sent, _ string) error { return os.WriteFile(sent, []byte("good and more"), 0o644) }, 65},
		"another":     {func(sent, _ string) error { return os.WriteFile(sent, []byte("evil"), 0o644) }, 65},
		"a symlink":   {func(sent, victim string) error { return os.Symlink(victim, sent) }, 65},
		"a pipe":      {func(sent, _ string) error { return exec.Command("mkfifo", sent).Run() }, 65},
		"a directory": {func(sent, _ string) error { return os.Mkdir(sent, 0o700) }, 65},
		"nothing":     {func(string, string) error { return nil }, 65},
		"something besides": {func(sent, victim string) error {
			return errors.Join(os.WriteFile(sent, []byte("good"), 0o644), os.Symlink(victim, filepath.Dir(sent)+"/copy"))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stage, dst, victim := filepath.Join(dir, "stage"), filepath.Join(dir, "dst"), filepath.Join(dir, "victim")
			err := errors.Join(os.Mkdir(stage, 0o700), os.WriteFile(dst, []byte("old"), 0o600), os.WriteFile(victim, []byte("good"), 0o600), c.put(stage+"/sent", victim))
			if err != nil {
				t.Fatal(err)
			}
			line := asRoot().invoke([]string{"sh", "-c", place, "drover-place", stage, dst, "0755", me(t).Uid + ":" + me(t).Gid, "4", sum("good")}).line
			_, stderr, exit := shell(t, line, "")
			if exit != c.exit || exit != 0 && !strings.Contains(stderr, dst) {
				t.Errorf("%d %q", exit, stderr)
			}
			want := "good"
			if c.exit != 0 {
				want = "old"
			}
			got, err := os.ReadFile(dst)
			if info, _ := os.Lstat(dst); err != nil || string(got) != want || want == "good" && info.Mode() != 0o755 {
				t.Errorf("%q %v %v", got, info, err)
			}
			if kept, _ := os.ReadFile(victim); string(kept) != "good" {
				t.Errorf("the victim holds %q", kept)
			}
		})
	}
}
