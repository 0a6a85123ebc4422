package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
)

// master runs the real script by one of the shells a host's sh may be, against a real
// etcd of this machine.
type master struct {
	host.Writer
	shell string
}

func (m master) Name() string { return "m1" }

func (m master) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	cmd := exec.CommandContext(ctx, m.shell, c.Argv[1:]...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return host.Result{}, err
	}
	return host.Result{Stdout: out.Bytes(), Stderr: said.Bytes(), Exit: cmd.ProcessState.ExitCode()}, nil
}

func (m master) Run(ctx context.Context, c host.Cmd) (host.Result, error) {
	res, err := m.Probe(ctx, c)
	if err == nil && res.Exit != 0 {
		err = &host.ExitError{Host: m.Name(), Cmd: c.Argv[3], Exit: res.Exit, Stderr: string(res.Stderr)}
	}
	return res, err
}

// programs unpacks etcd's release, which the lab keeps, into a directory.
func programs(t *testing.T, dir string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	archives, _ := filepath.Glob(filepath.Join(cache, "drover-lab/components/etcd-*/files/github.com/etcd-io/etcd/releases/download/*/etcd-*-linux-amd64.tar.gz"))
	if len(archives) == 0 {
		t.Skip("no release of etcd among the lab's components (drover-lab builds them): left out")
	}
	file, err := os.Open(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(unzipped); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(in)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(h.Name)), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// begin starts an etcd and returns where it has what a snapshot takes.
func begin(t *testing.T) (at, *etcdtest.Member) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what needs a real etcd")
	}
	a := at{dir: filepath.Join(t.TempDir(), "drover", "etcd-snapshots"), bin: t.TempDir(), pki: t.TempDir()}
	programs(t, a.bin)
	ca, err := etcdtest.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(pkix.Name{CommonName: "healthcheck"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"ca.crt": ca.PEM, "healthcheck-client.crt": pair.Cert, "healthcheck-client.key": pair.Key} {
		if err := os.WriteFile(filepath.Join(a.pki, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := etcdtest.NewMember(t.TempDir(), "m1", ca)
	if err == nil {
		err = m.Start(filepath.Join(a.bin, "etcd"), "new", m)
	}
	if err == nil {
		t.Cleanup(m.Stop)
		err = m.Ready()
	}
	if err != nil {
		t.Fatal(err)
	}
	a.endpoint, a.db = m.URL, filepath.Join(m.Dir, "data/member/snap/db")
	return a, m
}

func (a at) ctl(t *testing.T, args ...string) {
	t.Helper()
	c := exec.Command(filepath.Join(a.bin, "etcdctl"), append([]string{"--endpoints=" + a.endpoint, "--cacert=" + a.pki + "/ca.crt",
		"--cert=" + a.pki + "/healthcheck-client.crt", "--key=" + a.pki + "/healthcheck-client.key"}, args...)...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// held are the files where snapshots are, those that have no name yet as well.
func (a at) held(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(a.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return names
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestSnapshotsOfARealEtcd(t *testing.T) {
	a, etcd := begin(t)
	for n := range 7 {
		a.ctl(t, "put", fmt.Sprint("k", n), "v")
	}
	var last Taken
	shells := []string{"dash", "bash"}
	for n := range Keep + 2 {
		shell, err := exec.LookPath(shells[n%2])
		if err != nil {
			continue
		}
		m := master{shell: shell}
		if last, err = take(t.Context(), m, noon.Add(time.Duration(n)*time.Second), a); err != nil {
			t.Fatal(err)
		}
		if last.Revision != 8 || last.Keys < 7 || last.Hash == 0 || last.Host != "m1" {
			t.Errorf("%+v", last)
		}
	}
	if held := a.held(t); len(held) != Keep || held[Keep-1] != filepath.Base(last.Path) || held[0] != "etcd-20261129T120002.000Z.db" {
		t.Errorf("kept are %v", held)
	}
	if info, err := os.Stat(a.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Whoever's clock is behind has what was just verified nevertheless.
	early, err := take(t.Context(), master{shell: "/bin/sh"}, noon.Add(-time.Hour), a)
	if held := a.held(t); err != nil || len(held) != Keep || held[0] != filepath.Base(early.Path) || held[Keep-1] != filepath.Base(last.Path) {
		t.Errorf("%v: kept are %v", err, held)
	}
	t.Run("a copy", func(t *testing.T) { copies(t, a, last) })
	t.Run("what is broken gets no name", func(t *testing.T) { broken(t, a) })
	etcd.Stop()
	if _, err := take(t.Context(), master{shell: "/bin/sh"}, noon, a); err == nil || !strings.HasPrefix(err.Error(), "m1: no snapshot of etcd was taken: its etcd is not part of a quorum: ") {
		t.Errorf("of an etcd that is not there: %v", err)
	}
}

func copies(t *testing.T, a at, last Taken) {
	m, to := master{shell: "/bin/sh"}, filepath.Join(t.TempDir(), "s.db")
	if err := os.WriteFile(to, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), m, last, to); err != nil {
		t.Fatal(err)
	}
	from, err := os.ReadFile(last.Path)
	have, err2 := os.ReadFile(to)
	info, err3 := os.Stat(to)
	if err := errors.Join(err, err2, err3); err != nil || !bytes.Equal(from, have) || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %d bytes of %d, %v", err, len(have), len(from), info.Mode())
	}
	// It can be restored.
	if out, err := exec.Command(filepath.Join(a.bin, "etcdutl"), "snapshot", "restore", to, "--data-dir="+t.TempDir()+"/d").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for what, other := range map[string]Taken{
		"another digest": {Host: "m1", Path: last.Path, Size: last.Size, SHA256: strings.Repeat("0", 64)},
		"cut off":        {Host: "m1", Path: last.Path, Size: last.Size + 1, SHA256: last.SHA256},
		"gone":           {Host: "m1", Path: last.Path + "x", Size: last.Size, SHA256: last.SHA256},
	} {
		if err := Copy(t.Context(), m, other, to); err == nil {
			t.Errorf("%s: no error", what)
		}
		if entries, err := os.ReadDir(filepath.Dir(to)); err != nil || len(entries) != 1 {
			t.Errorf("%s: %v is left, %v", what, entries, err)
		}
	}
	if again, err := os.ReadFile(to); err != nil || !bytes.Equal(again, have) {
		t.Errorf("what was there is not there any more: %v", err)
	}
}

// broken has etcdctl save something else than a whole snapshot.
func broken(t *testing.T, a at) {
	before := len(a.held(t))
	for what, one := range map[string]struct{ spoil, want string }{
		"cut off":        {`truncate -s -512 "$f"`, "is not what its digest says"},
		"torn":           {`truncate -s -1 "$f"`, "is no whole snapshot"},
		"another byte":   {`printf x | dd of="$f" bs=1 seek=9000 conv=notrunc 2>/dev/null`, "is not what its digest says"},
		"not a database": {`head -c 512 /dev/zero >"$f"; head -c 512 /dev/zero | sha256sum | cut -c1-64 | xxd -r -p >>"$f"`, "is no snapshot"},
		"an older one":   {`cp "$(ls ` + a.dir + `/etcd-* | head -n 1)" "$f"; ` + a.bin + `/etcdctl "$@" >/dev/null 2>&1`, "the snapshot is of revision 8, and etcd was at "},
		"refused":        {`exit 1`, "etcdctl could not save it"},
	} {
		spoilt := a
		spoilt.bin = t.TempDir()
		for _, name := range []string{"etcdutl"} {
			if err := os.Symlink(filepath.Join(a.bin, name), filepath.Join(spoilt.bin, name)); err != nil {
				t.Fatal(err)
			}
		}
		wrapper := "#!/bin/sh\nfor f; do :; done\n" + a.bin + "/etcdctl \"$@\" || exit\ncase \"$*\" in *'snapshot save'*) " + one.spoil + " ;; esac\n"
		if what == "an older one" {
			a.ctl(t, "put", "k", "later")
			wrapper = strings.Replace(wrapper, a.bin+`/etcdctl "$@" >/dev/null 2>&1`, ":", 1)
		}
		if err := os.WriteFile(filepath.Join(spoilt.bin, "etcdctl"), []byte(wrapper), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := take(t.Context(), master{shell: "/bin/sh"}, noon.Add(time.Hour), spoilt)
		if err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v, want %q", what, err, one.want)
		}
		if held := a.held(t); len(held) != before {
			t.Errorf("%s: %v", what, held)
		}
	}
}

// Without room for it none is taken: a full disk would stop etcd.
func TestWithoutRoomNoSnapshot(t *testing.T) {
	a, _ := begin(t)
	huge := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<50); err != nil {
		t.Skip(err)
	}
	a.db = huge
	if _, err := take(t.Context(), master{shell: "/bin/sh"}, noon, a); err == nil || !strings.Contains(err.Error(), "a snapshot that leaves etcd some takes 2199023321088 KiB") {
		t.Error(err)
	}
	if held := a.held(t); len(held) > 0 {
		t.Error(held)
	}
}

func TestReadWhatTheScriptSays(t *testing.T) {
	const whole = "a banner\n@@drover-snapshot@@ status {\"hash\":7,\"revision\":9,\"totalKey\":3,\"totalSize\":20480,\"version\":\"3.6.0\"}\n" +
		"@@drover-snapshot@@ file 20512 0123456789012345678901234567890123456789012345678901234567890123\n@@drover-snapshot@@ end\n"
	got, err := read(whole)
	want := Taken{Size: 20512, SHA256: "0123456789012345678901234567890123456789012345678901234567890123", Hash: 7, Revision: 9, Keys: 3, Version: "3.6.0"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, cut := range []string{"", whole[:len(whole)-5], strings.Replace(whole, "9,", "0,", 1), strings.Replace(whole, "{", "", 1), strings.Replace(whole, "file 2", "file x", 1)} {
		if _, err := read(cut); err == nil {
			t.Errorf("no error of %q", cut)
		}
	}
}
