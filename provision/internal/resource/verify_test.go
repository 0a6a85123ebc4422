package resource

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/plan"
)

// here is this machine, with a directory that stands for OptDir.
type here struct{ top string }

func (here) Name() string { return "node-1" }

func (h here) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	var script bytes.Buffer
	if _, err := script.ReadFrom(c.Stdin); err != nil {
		return host.Result{}, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script.String(), OptDir, h.top))
	out, err := cmd.Output()
	return host.Result{Stdout: []byte(strings.ReplaceAll(string(out), h.top, OptDir))}, err
}

func archive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range files {
		content := strings.Repeat(name, 1<<20)
		if err := w.WriteHeader(&tar.Header{Name: "top/" + name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A file whose content changed, and whose size, times and inode are put back, is
// found by its digest, and only by one who asks for it. The same for a program by
// itself, of an archive, and after a record of before digests were kept.
func TestFilesAreVerified(t *testing.T) {
	tgz := archive(t, "bin/with space", "etcd")
	for name, c := range map[string]struct{ url, sent, file string }{
		"program": {"http://m/kubelet", strings.Repeat("kubelet", 1<<20), "kubelet"},
		"archive": {"http://m/etcd.tar.gz", tgz, "bin/with space"},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			a := sentArtifact(c.url, c.sent)
			a.Strip = 1
			if _, err := install(t, a, top, c.sent); err != nil {
				t.Fatal(err)
			}
			files := func(a Artifact) string {
				t.Helper()
				snap, err := facts.Probe(t.Context(), here{top}, a.Scope())
				if err != nil {
					t.Fatal(err)
				}
				s, err := a.Observe(t.Context(), Seen{Hosts: map[string]facts.Snapshot{a.Host: snap}})
				if err != nil {
					t.Fatal(err)
				}
				return s["files"]
			}
			verifying := a
			verifying.Verify = true
			if unasked, asked := files(a), files(verifying); unasked != "intact" || asked != "intact" {
				t.Errorf("as installed: %q, verified %q", unasked, asked)
			}
			file := filepath.Join(top, a.Component, a.Version, c.file)
			flip(t, file)
			// Its change time is all that tells, and a disk that rots has none.
			record := filepath.Join(top, a.Component, a.Version, "record.drover")
			restamp(t, record, file)
			if unasked, asked := files(a), files(verifying); unasked != "intact" || asked != "changed: "+c.file {
				t.Errorf("with a byte flipped: %q, verified %q", unasked, asked)
			}
			// Without digests.
			old := editRecord(t, record, func(line []string) string { return line[0] + " " + strings.TrimLeft(line[2], " *") })
			if unasked, asked := files(a), files(verifying); unasked != "intact" || !strings.HasPrefix(asked, "not to be verified") {
				t.Errorf("with a record like %q: %q, verified %q", old, unasked, asked)
			}
		})
	}
}

// The record is of the files alone, whatever shells there print when they start, and
// the same without openssl as with it, also where it gives up in the middle.
func TestRecordIsOfFilesAlone(t *testing.T) {
	tgz := archive(t, "bin/with space", "etcd")
	for name, program := range map[string]struct{ name, script string }{
		"a shell that prints a banner": {"sh", "echo '* property of ACME *'\nexec /bin/sh \"$@\"\n"},
		"no openssl":                   {"openssl", "exit 127\n"},
		"an openssl that gives up":     {"openssl", "[ $# -ne 4 ] || exec sha256sum \"$4\"\necho 00 \"*./etcd\"; exit 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			top, bin := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, program.name), []byte("#!/bin/bash\n"+program.script), 0o755); err != nil {
				t.Fatal(err)
			}
			a := sentArtifact("http://m/etcd.tar.gz", tgz)
			a.Strip, a.Verify = 1, true
			t.Run("install", func(t *testing.T) {
				t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
				if _, err := install(t, a, top, tgz); err != nil {
					t.Fatal(err)
				}
			})
			snap, err := facts.Probe(t.Context(), here{top}, a.Scope())
			if err != nil {
				t.Fatal(err)
			}
			s, err := a.Observe(t.Context(), Seen{Hosts: map[string]facts.Snapshot{a.Host: snap}})
			if err != nil || s["files"] != "intact" {
				t.Errorf("%q, %v", s["files"], err)
			}
		})
	}
}

// flip changes one byte of a file and puts its times back.
func flip(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0}, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// restamp has a record say of a file that it was so all along.
func restamp(t *testing.T, record, file string) {
	t.Helper()
	stamp, err := exec.Command("stat", "-c", "%s.%Y.%Z.%i", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(file)
	editRecord(t, record, func(line []string) string {
		if strings.HasSuffix(line[2], name) {
			line[0] = strings.TrimSpace(string(stamp))
		}
		return strings.Join(line, " ")
	})
}

// editRecord rewrites a record's lines, given as stamp, digest and the rest.
func editRecord(t *testing.T, record string, edit func(line []string) string) string {
	t.Helper()
	content, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for i, l := range lines[1:] {
		words := strings.SplitN(l, " ", 3)
		if len(words) != 3 || len(words[1]) != 64 {
			t.Fatalf("no record: %q", l)
		}
		lines[i+1] = edit(words)
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(record, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text
}

// Nothing large is read unless that was asked for.
func TestUnverifiedIsNotRead(t *testing.T) {
	a := sentArtifact("http://m/kubelet", "x")
	if s := a.Scope(); len(s.Digested) > 0 {
		t.Errorf("digested unasked: %v", s.Digested)
	}
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("x")))
	snap := facts.Snapshot{
		Files: map[string]facts.File{
			OptDir + "/kubelet/current": {Link: "1.37.2"}, OptDir + "/kubelet/1.37.2/kubelet": {Stamp: "s", SHA256: "sha256:other"},
		},
		Texts: map[string]string{OptDir + "/kubelet/1.37.2/record.drover": sum + "\ns " + sum[7:] + "  ./kubelet\n"},
	}
	for verify, want := range map[bool]string{false: "intact", true: "changed: kubelet"} {
		a.Verify = verify
		have, err := a.Observe(t.Context(), Seen{Hosts: map[string]facts.Snapshot{"node-1": snap}})
		if err != nil {
			t.Fatal(err)
		}
		if have["files"] != want {
			t.Errorf("verify %v: %q, want %q", verify, have["files"], want)
		}
	}
}

// A unit that runs, or is coming up, serves somebody or may by its turn.
func TestIdleUnits(t *testing.T) {
	for active, want := range map[string]bool{
		"inactive": true, "failed": true, "inactive, its file changed since": true,
		"active": false, "active, its file changed since": false, "activating": false, "deactivating": false, "reloading": false, "": false,
	} {
		if got := (Unit{}).Idle(plan.State{"active": active}); got != want {
			t.Errorf("%q: %v", active, got)
		}
	}
}
