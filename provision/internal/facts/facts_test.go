package facts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/host"
)

// local runs probes on this machine: any Linux has what the script asks for,
// systemctl apart.
type local struct{ prelude string }

func (local) Name() string { return "here" }

func (l local) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Stdin = c.Stdin
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	res := host.Result{Stdout: []byte(l.prelude + out.String()), Stderr: []byte(errs.String())}
	if exit, ok := err.(*exec.ExitError); ok {
		res.Exit, err = exit.ExitCode(), nil
	}
	return res, err
}

func TestProbeSeesFilesAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("tree/with space.key", "secret", 0o600)
	cert := write("tree/sub/a.crt", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", 0o644)
	balancer := write("tree/haproxy.cfg", "server m1 10.90.0.11:6443\n", 0o644)
	empty := write("tree/empty.drover", "", 0o644)
	escaped := write(`tree/a\x2db`, "secret", 0o600)
	single := write("single/file", "", 0o640)
	write("single/dir/below", "not asked for", 0o644)
	link := filepath.Join(dir, "tree/current")
	if err := os.Symlink("v1.2.3", link); err != nil {
		t.Fatal(err)
	}
	big := write("tree/big", strings.Repeat("x", DigestLimit+1), 0o755)

	verified := write("verified/bin", strings.Repeat("y", DigestLimit+1), 0o755)
	most, err := os.ReadFile("/proc/sys/kernel/pid_max") // a number of several digits
	if err != nil {
		t.Fatal(err)
	}
	for _, prelude := range []string{"", "Welcome to this host!\n@@ not a section\n"} {
		s, err := Probe(t.Context(), local{prelude}, Scope{
			Trees:    []string{filepath.Join(dir, "tree"), filepath.Join(dir, "verified"), filepath.Join(dir, "absent")},
			Digested: []string{filepath.Join(dir, "verified")},
			Paths:    []string{filepath.Join(dir, "single"), single, filepath.Join(dir, "single/dir"), filepath.Join(dir, "absent-file")},
			Sysctls:  []string{"kernel.ostype", "no.such.key", "kernel.pid_max"},
			Commands: []string{"sh", "no-such-command"},
		})
		if err != nil {
			t.Fatal(err)
		}
		const digestOfSecret = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
		if f := s.Files[secret]; f.SHA256 != digestOfSecret || f.Mode != 0o600 || f.Size != 6 {
			t.Errorf("secret file: %+v", f)
		}
		if _, read := s.Texts[secret]; read {
			t.Error("a key was read, not digested")
		}
		if got := s.Texts[balancer]; got != "server m1 10.90.0.11:6443\n" && got != "server m1 10.90.0.11:6443" {
			t.Errorf("a load balancer's configuration: %q", got)
		}
		if got, read := s.Texts[empty]; !read || got != "" {
			t.Errorf("a text without a line: %q, %v", got, read)
		}
		if f := s.Files[escaped]; f.SHA256 != digestOfSecret {
			t.Errorf("a file with a backslash in its name: %+v", f)
		}
		if got := s.Texts[cert]; !strings.HasPrefix(got, "-----BEGIN CERTIFICATE-----\nx\n") {
			t.Errorf("certificate: %q", got)
		}
		if f := s.Files[link]; f.Link != "v1.2.3" {
			t.Errorf("link: %+v", f)
		}
		if f := s.Files[big]; f.SHA256 != "" || f.Size != DigestLimit+1 {
			t.Errorf("a large file was digested: %+v", f)
		}
		if f := s.Files[verified]; f.SHA256 != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Repeat("y", DigestLimit+1)))) {
			t.Errorf("a large file that is to be digested: %+v", f)
		}
		if f, ok := s.Files[single]; !ok || f.Mode != 0o640 {
			t.Errorf("single file: %+v", f)
		}
		if _, ok := s.Dirs[filepath.Join(dir, "single/dir")]; !ok {
			t.Error("single directory not seen")
		}
		if _, ok := s.Files[filepath.Join(dir, "single/dir/below")]; ok {
			t.Error("a single directory was descended into")
		}
		if s.Sysctls["kernel.ostype"] != "Linux" || s.Sysctls["kernel.pid_max"] != strings.TrimSpace(string(most)) || len(s.Sysctls) != 2 {
			t.Errorf("sysctls: %v", s.Sysctls)
		}
		if !s.Commands["sh"] || s.Commands["no-such-command"] {
			t.Errorf("commands: %v", s.Commands)
		}
		if s.CPUs < runtime.NumCPU() || s.Memory < 64<<20 {
			t.Errorf("%d cores, %d bytes of memory", s.CPUs, s.Memory)
		}
		if s.Hostname == "" {
			t.Errorf("machine: %+v", s)
		}
	}
}

// What each sh there prints when it starts gets into no file's text.
func TestProbeOfAShellThatPrints(t *testing.T) {
	real, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	want := map[string]string{}
	for _, name := range []string{"tree/a.drover", "tree/b.crt", "single.drover"} {
		path := filepath.Join(dir, name)
		want[path] = "of " + name
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(want[path]+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, banner := range []string{`* ACME *\n`, `* ACME * `} {
		sh := fmt.Sprintf("#!%s\nprintf '%s'\nexec %[1]s \"$@\"\n", real, banner)
		if err := os.WriteFile(filepath.Join(bin, "sh"), []byte(sh), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := Probe(t.Context(), local{}, Scope{Trees: []string{filepath.Join(dir, "tree")}, Paths: []string{filepath.Join(dir, "single.drover")}})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.Texts); d != "" || got.Hostname == "" {
			t.Errorf("-want +got:\n%s\n%+v", d, got)
		}
	}
}

func TestAnAnswerWithoutItsEndIsNoSnapshot(t *testing.T) {
	whole, err := local{}.Probe(t.Context(), host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(Scope{}.Script())})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(string(whole.Stdout)); err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole.Stdout)-len("end")-1; cut += 7 {
		if s, err := parse(string(whole.Stdout[:cut])); err == nil {
			t.Fatalf("cut after %d bytes it reads as %+v", cut, s)
		}
	}
}

func TestWhatAMachineHas(t *testing.T) {
	for line, want := range map[string]int{"0": 1, "0-3": 4, "0-3,8": 5, "0,2-3": 3, "": 0, "3-1": 0, "x": 0, "0-x": 0} {
		if got := ranges(line); got != want {
			t.Errorf("%q: %d cores", line, got)
		}
	}
	for line, want := range map[string]int64{"MemTotal:       2048 kB": 2 << 20, "MemTotal: 2048": 0, "MemFree: 1 kB": 0, "MemTotal: x kB": 0} {
		if got := memTotal(line); got != want {
			t.Errorf("%q: %d bytes", line, got)
		}
	}
}
