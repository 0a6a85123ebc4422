package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// shell runs what would be sent to a host on this machine's own shell.
func shell(t *testing.T, line, stdin string, env ...string) (stdout, stderr string, exit int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func asRoot() *Conn { return &Conn{hop: &hop{}} }

func TestStart(t *testing.T) {
	v := asRoot().invoke([]string{"printf", "%s|", "a b", "it's", "$HOME", ""})
	stdout, stderr, exit := shell(t, v.line, "")
	if stdout != v.marker+"\na b|it's|$HOME||" || stderr != v.marker+"\n" || exit != 0 {
		t.Errorf("%q %q %d", stdout, stderr, exit)
	}
	if v2 := asRoot().invoke(nil); v2.marker == v.marker {
		t.Error("the marker can be guessed")
	}
	v = asRoot().invoke([]string{"sh", "-s"})
	if stdout, _, exit := shell(t, v.line, "echo $LC_ALL; case :$PATH: in *:/usr/sbin:*) ;; *) exit 1;; esac; exit 9", "LC_ALL=de_DE.UTF-8"); stdout != v.marker+"\nC\n" || exit != 9 {
		t.Errorf("%q %d", stdout, exit)
	}
	v = asRoot().invoke([]string{"no-such-command"})
	if stdout, stderr, exit := shell(t, v.line, ""); stdout != v.marker+"\n" || exit != 127 || !strings.Contains(stderr, "no-such-command") {
		t.Errorf("%q %q %d", stdout, stderr, exit)
	}
}

// Whether sudo takes the password line or leaves it, the command gets its stdin
// and nothing else; and without the marker's line it does not begin.
func TestStartAfter(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{
		"takes it":  "#!/bin/sh\nIFS= read -r p; [ \"$p\" = pw ] || exit 1; while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n",
		"leaves it": "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		c := &Conn{hop: &hop{Target: Target{Become: BecomeSudo}}, password: "pw"}
		path := "PATH=" + bin + ":" + os.Getenv("PATH")
		for _, content := range []string{"pw\nline\n", "", "no newline", "\x00\xff\\n\n\n"} {
			v := c.invoke([]string{"cat"})
			if strings.Contains(v.line, " pw ") {
				t.Error("the password is in the command line")
			}
			stdout, _, exit := shell(t, v.line, "pw\n"+v.marker+"\n"+content, path)
			if stdout != v.marker+"\n"+content || exit != 0 {
				t.Errorf("sudo %s: %q %d", name, stdout, exit)
			}
		}
		v := c.invoke([]string{"sh", "-s"})
		if stdout, _, exit := shell(t, v.line, "pw\necho ran\n", path); strings.Contains(stdout, "ran") || exit != 79 {
			t.Errorf("sudo %s: without the marker: %q %d", name, stdout, exit)
		}
	}
}

func writeLine(t *testing.T, path, mode, size string) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return asRoot().invoke([]string{"sh", "-c", writeFiles, "drover-write-files", "1", path, mode, u.Uid + ":" + u.Gid, size}).line
}

func onlyFile(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestWriteScript(t *testing.T) {
	top := t.TempDir()
	file := filepath.Join(top, "a b", "c'd", "x.key")
	for _, content := range []string{"first\x00\n", "", "longer than before\n\n"} {
		line := "umask 0; " + writeLine(t, file, "0640", fmt.Sprint(len(content)))
		if _, stderr, exit := shell(t, line, content); exit != 0 {
			t.Fatal(stderr)
		}
		got, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || string(got) != content || info.Mode() != 0o640 {
			t.Errorf("%q %v %v", got, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("parent: %v %v", info, err)
	}
	onlyFile(t, filepath.Dir(file), "x.key")
}

func TestWriteScriptKeepsTheOldFile(t *testing.T) {
	for name, size := range map[string]string{"cut": "100", "too much": "2"} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, exit := shell(t, writeLine(t, file, "0644", size), "new")
		if exit != 74 || !strings.Contains(stderr, file) {
			t.Errorf("%s: %d %q", name, exit, stderr)
		}
		if got, _ := os.ReadFile(file); string(got) != "old" {
			t.Errorf("%s: %q", name, got)
		}
		onlyFile(t, filepath.Dir(file), "f")
	}
}

// What is left of a write when the host loses power goes with the next one of that
// file, and of no other.
func TestWriteScriptAfterPowerLoss(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".drover.f.0123456789", ".drover.f.g.0123456789", ".drover.g.0123456789"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, stderr, exit := shell(t, writeLine(t, dir+"/f", "0644", "1"), "x"); exit != 0 {
		t.Error(stderr)
	}
	onlyFile(t, dir, ".drover.f.g.0123456789 .drover.g.0123456789 f")
}

// A directory is not replaced and nothing is put into it; a symlink is replaced,
// not followed; a parent's mode is its owner's affair.
func TestWriteScriptAndWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/d", 0o700), os.Symlink("/etc/passwd", dir+"/d/l")); err != nil {
		t.Fatal(err)
	}
	if _, _, exit := shell(t, writeLine(t, dir+"/d", "0644", "1"), "x"); exit == 0 {
		t.Error("a directory was replaced")
	}
	onlyFile(t, dir, "d")
	onlyFile(t, dir+"/d", "l")
	if _, stderr, exit := shell(t, writeLine(t, dir+"/d/l", "0644", "1"), "x"); exit != 0 {
		t.Error(stderr)
	}
	if info, err := os.Lstat(dir + "/d/l"); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		t.Errorf("%v %v", info, err)
	}
	if info, err := os.Stat(dir + "/d"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
}

func TestFenceInPieces(t *testing.T) {
	opened, refused := 0, 0
	f := fence{marker: "drover-1\n", prompt: "drover-1-password:", opened: func() { opened++ }, refused: func() { refused++ }}
	for _, b := range []byte("lecture\ndrover-1-password:drover-1\nout drover-1\n") {
		f.Write([]byte{b})
	}
	if got := f.text.String(); got != "out drover-1\n" || opened != 1 || refused != 0 {
		t.Errorf("%q, opened %d, refused %d", got, opened, refused)
	}
	f = fence{marker: "drover-1\n", prompt: "drover-1-password:", opened: func() { opened++ }, refused: func() { refused++ }}
	for _, b := range []byte("drover-1-password:Sorry\ndrover-1-password:Sorry\ndrover-1-password:") {
		f.Write([]byte{b})
	}
	if refused != 1 || f.said() != "Sorry\nSorry\n" {
		t.Errorf("refused %d, said %q", refused, f.said())
	}
}

func writeFilesLine(t *testing.T, files ...string) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"sh", "-c", writeFiles, "drover-write-files", fmt.Sprint(len(files) / 2)}
	for ; len(files) > 0; files = files[2:] {
		argv = append(argv, files[0], "0640", u.Uid+":"+u.Gid, files[1])
	}
	return asRoot().invoke(argv).line
}

func TestWriteFilesScript(t *testing.T) {
	top := t.TempDir()
	want := map[string]string{"a b/c'd": "first\x00\n", "empty": "", "a b/*": "\n\nlast"}
	var files []string
	var stdin strings.Builder
	for name, content := range want {
		files = append(files, filepath.Join(top, name), fmt.Sprint(len(content)))
		stdin.WriteString(content)
	}
	if _, stderr, exit := shell(t, "umask 0; "+writeFilesLine(t, files...), stdin.String()); exit != 0 {
		t.Fatal(stderr)
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(top, name))
		info, _ := os.Stat(filepath.Join(top, name))
		if err != nil || string(got) != content || info.Mode() != 0o640 {
			t.Errorf("%s: %q %v %v", name, got, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(top, "*/.drover*")); left != nil {
		t.Error(left)
	}
}

// All or none: a cut in the last file leaves the first as it was.
func TestWriteFilesScriptKeepsTheOldFiles(t *testing.T) {
	for name, c := range map[string]struct {
		size string
		exit int
	}{"cut": {"4", 74}, "too much": {"2", 74}} {
		top := t.TempDir()
		one, two := filepath.Join(top, "one"), filepath.Join(top, "two")
		for _, f := range []string{one, two} {
			if err := os.WriteFile(f, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, stderr, exit := shell(t, writeFilesLine(t, one, "3", two, c.size), "newnew"); exit != c.exit {
			t.Errorf("%s: %d %q", name, exit, stderr)
		}
		for _, f := range []string{one, two} {
			if got, _ := os.ReadFile(f); string(got) != "old" {
				t.Errorf("%s: %s: %q", name, f, got)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(top, ".drover*")); left != nil {
			t.Errorf("%s: %v", name, left)
		}
	}
}
