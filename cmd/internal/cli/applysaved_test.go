package cli_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/internal/cli"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/plan"
)

// bare is a cluster that begins: an inventory of one bare machine behind a real
// SSH server, and a mirror.
type bare struct {
	dir     string
	machine *hosttest.Host
	clock   time.Duration // how far the machine's is ahead
	swap    int           // KiB
	asked   atomic.Int64  // how often the machine was asked what it is
}

func newBare(t *testing.T) *bare {
	t.Helper()
	b := &bare{dir: t.TempDir(), machine: hosttest.New(t, "kube-master-1")}
	b.machine.HandleScript("# drover probe", probed)
	b.machine.HandleScript("# drover survey", func(*hosttest.State, hosttest.Call) host.Result {
		b.asked.Add(1)
		return surveyed(b.clock, b.swap)
	})
	b.machine.HandleScript("# drover evidence", nothingKnown)
	// What takes more than a fake: an attempt ends the machine's part of a run.
	b.machine.HandleScript("drover() {", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
	b.machine.Handle("install", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
	s := hosttest.Serve(t, b.machine, hosttest.Config{})
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/calico.yaml") {
			_, _ = w.Write(calicoManifest(t))
		}
	}))
	t.Cleanup(mirror.Close)
	b.write(t, "inventory.hcl", fmt.Sprintf(`
cluster "one" {
  masters      = ["kube-master-1"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}
artifacts { mirror = %q }
ssh {
  user          = "root"
  become        = "none"
  port          = %d
  known_hosts   = %q
  identity_file = %q
}
kube_master "kube-master-1" { address = "192.0.2.11" }
`, mirror.URL, s.Port, s.KnownHosts, s.KeyFile))
	// No machine may have a loopback address; the operator's own ssh_config may.
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("HostName "+s.Address+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := b.drover("", "artifacts", "lock"); code != 0 {
		t.Fatal(stderr)
	}
	return b
}

func calicoManifest(t *testing.T) []byte {
	f, err := os.Open("../../../provision/internal/calico/testdata/calico-v3.30.1.yaml.gz")
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Error(err)
		return nil
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		t.Error(err)
	}
	return content
}

// probed plays the probe: all files there are, and no units.
func probed(s *hosttest.State, c hosttest.Call) host.Result {
	var files, units strings.Builder
	for name, f := range s.Files {
		if f.Kind == hosttest.Regular {
			fmt.Fprintf(&files, "=%x %s %d stamp '%s'\n", 0x8000|uint(f.Mode), f.Owner, len(f.Content), name)
			fmt.Fprintf(&files, "%x  %s\n", sha256.Sum256([]byte(f.Content)), name)
		}
	}
	_, asked, _ := strings.Cut(string(c.Stdin), "systemctl show ")
	asked, _, _ = strings.Cut(asked, "\n")
	_, asked, _ = strings.Cut(asked, " -- ")
	for _, u := range strings.Fields(asked) {
		fmt.Fprintf(&units, "Id=%s\nLoadState=not-found\n\n", strings.Trim(u, "'"))
	}
	const section = "@@drover@@ %s\n%s\n"
	var out bytes.Buffer
	for _, part := range [][2]string{
		{"values", "==> /proc/sys/kernel/hostname <==\nm"},
		{"files", files.String()}, {"units", units.String()}, {"end", ""},
	} {
		fmt.Fprintf(&out, section, part[0], part[1])
	}
	return host.Result{Stdout: out.Bytes()}
}

func (b *bare) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// drover runs drover as an operator who answers input when asked.
func (b *bare) drover(input string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(context.Background(), append([]string{"-i", filepath.Join(b.dir, "inventory.hcl")}, args...),
		cli.Streams{In: strings.NewReader(input), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

// touched is whether anything but a look came to the machine since.
func (b *bare) touched() bool {
	defer b.machine.Forget()
	return slices.ContainsFunc(b.machine.Ops(), func(o hosttest.Op) bool {
		return !looksAtLock(o) && (!slices.Equal(o.Argv, []string{"sh", "-s"}) || o.Exit != 0)
	})
}

func looksAtLock(o hosttest.Op) bool {
	return len(o.Argv) > 1 && o.Argv[0] == "drover-lock" && o.Argv[1] == "show"
}

// save saves a plan of what there is to do.
func (b *bare) save(t *testing.T) (string, plan.Plan) {
	t.Helper()
	path := filepath.Join(b.dir, "plan.json")
	code, stdout, stderr := b.drover("", "plan", "--out", path)
	if code != 2 || stderr != "" || !strings.Contains(stdout, "\n  + file:/etc/") {
		t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if p.Cluster != "one" || p.Standing != "new" || p.UID != "" || len(p.Pending()) < 50 {
		t.Fatalf("%s %s %q, %d changes", p.Cluster, p.Standing, p.UID, len(p.Pending()))
	}
	return path, p
}

// The plan of a cluster that is new is applied by a later run, which is another
// process with another trust in its memory; and nothing is asked.
func TestASavedPlanIsApplied(t *testing.T) {
	b := newBare(t)
	path, p := b.save(t)
	if b.touched() {
		t.Error("planning touched the machine")
	}
	if code, _, stderr := b.drover("", "apply"); code != 1 || !strings.Contains(stderr, "not applied") || b.touched() {
		t.Errorf("without a plan nobody approved: exit %d, %s", code, stderr)
	}
	code, stdout, stderr := b.drover("", "apply", path)
	if strings.Contains(stderr, "Apply this") || !b.touched() {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	// The machine is a fake that no cluster comes up on.
	if !strings.Contains(stdout, fmt.Sprintf("not done: of %d changes", len(p.Pending()))) || code != 1 {
		t.Errorf("exit %d, %s", code, stdout[strings.LastIndex(strings.TrimSpace(stdout), "\n")+1:])
	}
}

// A plan that is not what there is to do is refused, with every difference, and
// nothing is touched.
func TestADriftedPlanIsRefused(t *testing.T) {
	b := newBare(t)
	path, p := b.save(t)
	again := "make it anew with `drover plan --out " + path + "`, look at it, and apply that\n"

	b.machine.Edit(func(s *hosttest.State) {
		if err := s.Put("/etc/sysctl.d/99-zz-drover.conf", "mine", 0o644, "root:root"); err != nil {
			t.Error(err)
		}
	})
	code, stdout, stderr := b.drover("", "apply", path)
	want := "drover: " + path + " is not what there is to do now, so nothing was touched:\n" +
		"  kube-master-1/file:/etc/sysctl.d/99-zz-drover.conf: was to be created, and is to be updated now; was changed meanwhile: it was absent, and is there\n" + again
	if code != 1 || stdout != "" || stderr != want {
		t.Errorf("exit %d\n%s\n%s\nwant:\n%s", code, stdout, stderr, want)
	}

	p.Changes = []plan.Change{}
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "plan.json", string(text))
	code, _, stderr = b.drover("one\n", "apply", "--auto-approve", path)
	if code != 1 || strings.Count(stderr, ": was not asked for, and is to be ") != 20 || !strings.Contains(stderr, " more\n"+again) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if b.touched() {
		t.Error("a plan was refused, and the machine touched")
	}
}
