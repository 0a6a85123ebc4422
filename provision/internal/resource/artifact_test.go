package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/plan"
)

func sentArtifact(url, text string) Artifact {
	sum := sha256.Sum256([]byte(text))
	return Artifact{Host: "node-1", Component: "kubelet", Version: "1.37.2", URL: url, SHA256: "sha256:" + hex.EncodeToString(sum[:]), Push: true}
}

// install runs an artifact's script here, below a directory that stands for
// OptDir, and returns the directory of the component.
func install(t *testing.T, a Artifact, top, sent string) (dir string, err error) {
	t.Helper()
	return installBy(t, a, fanout.Way{}, top, sent)
}

func installBy(t *testing.T, a Artifact, way fanout.Way, top, sent string) (dir string, err error) {
	t.Helper()
	dir = filepath.Join(top, a.Component)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".sent"), []byte(sent), 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(whole(a.script(way)), OptDir, top)
	if strings.Contains(script, "curl") {
		t.Error("what is sent is fetched, too")
	}
	cmd := exec.Command("sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	text, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return dir, err
}

// What was sent is installed as what was fetched is, after the host has verified
// it once more; else the version in use stays.
func TestSentArtifactIsInstalled(t *testing.T) {
	top := t.TempDir()
	dir, err := install(t, sentArtifact("http://m/kubelet", "first"), top, "first")
	if err != nil {
		t.Fatal(err)
	}
	next := sentArtifact("http://m/kubelet", "second")
	next.Version = "1.37.3"
	if _, err := install(t, next, top, "evil"); err == nil || !strings.Contains(err.Error(), "wanted sha256:") || !strings.Contains(err.Error(), "fix: compare both digests") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".partial")); !os.IsNotExist(err) {
		t.Errorf("what was refused is still there: %v", err)
	}
	program := filepath.Join(dir, "current", "kubelet")
	info, err := os.Stat(program)
	if content, _ := os.ReadFile(program); err != nil || string(content) != "first" || info.Mode().Perm() != 0o755 {
		t.Errorf("%q %v %v", content, info, err)
	}
	if _, err := install(t, next, top, "second"); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(program); string(content) != "second" {
		t.Errorf("%q", content)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".sent")); !os.IsNotExist(err) {
		t.Errorf("what was sent is still there: %v", err)
	}
}

// What cannot be fetched for want of room says so, which curl does not, and gives
// back what room it took.
func TestArtifactWithoutRoom(t *testing.T) {
	for free, says := range map[string]bool{"0": true, "1023": true, "1024": false} {
		top, bin := t.TempDir(), t.TempDir()
		for name, script := range map[string]string{"curl": "echo half >.download; exit 23", "df": "echo Avail; echo ' " + free + "'"} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		a := sentArtifact("http://m/kubelet", "x")
		a.Push = false
		cmd := exec.Command("sh", "-s")
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(whole(a.script(fanout.Way{})), OptDir, top))
		text, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 23 || strings.Contains(string(text), "kubelet/.partial: No space left on device") != says {
			t.Errorf("%s KiB free: %v: %s", free, err, text)
		}
		if left, _ := os.ReadDir(filepath.Join(top, "kubelet")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// An archive that does not come out whole, as on a disk that is full for a moment, is
// not installed, and what came out of it does not stay.
func TestArtifactThatIsNotUnpackedWhole(t *testing.T) {
	for _, fanOut := range []bool{false, true} {
		top, bin := t.TempDir(), t.TempDir()
		tar := "#!/bin/sh\necho half >containerd\necho 'tar: containerd: Wrote only 2048 of 10240 bytes' >&2\nexit 2\n"
		if err := os.WriteFile(filepath.Join(bin, "tar"), []byte(tar), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		way := fanout.Way{}
		if fanOut {
			way.Copies = filepath.Join(top, "copies")
		}
		dir, err := installBy(t, sentArtifact("http://m/containerd.tar.gz", "archive"), way, top, "archive")
		if err == nil || !strings.Contains(err.Error(), "Wrote only") {
			t.Errorf("fan-out %v: it is said to be installed: %v", fanOut, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("fan-out %v: left: %v", fanOut, left)
		}
	}
}

// Over SSH as a user with sudo: the file is there when the script begins, and only
// then does the script begin. A cut leaves the rest to the next run.
func TestArtifactIsSent(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	text := strings.Repeat("kubelet", 1<<18)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	defer mirror.Close()
	store := artifact.NewStore(artifact.Fetcher{Client: mirror.Client()})
	defer store.Close()
	a := sentArtifact(mirror.URL+"/kubelet", text)

	machine := hosttest.New(t, "node-1")
	s := hosttest.Serve(t, machine, hosttest.Config{User: "ops"})
	installed := 0
	machine.HandleScript("drover() {", func(s *hosttest.State, c hosttest.Call) host.Result {
		if s.Files["/opt/drover/kubelet/.sent"].Content == text && !strings.Contains(string(c.Stdin), "curl") {
			installed++
		}
		return host.Result{}
	})
	apply := func() error {
		conn, err := ssh.Dial(context.Background(), ssh.Target{
			Name: "node-1", Address: s.Address, Port: s.Port, User: "ops", Become: ssh.BecomeSudo, KnownHosts: s.KnownHosts, IdentityFile: s.KeyFile,
		}, ssh.Options{Home: t.TempDir(), ConfigFiles: []string{}, AgentSocket: "none"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return a.Apply(context.Background(), World{Hosts: map[string]host.Writer{"node-1": conn}, Releases: store}, plan.Change{})
	}
	machine.Inject(hosttest.Fault{Match: "/sent", Do: hosttest.Cut, When: hosttest.Amid, Bytes: 1 << 20})
	if err := apply(); err == nil || installed > 0 {
		t.Fatalf("cut, and installed %d times: %v", installed, err)
	}
	if err := apply(); err != nil || installed != 1 {
		t.Errorf("installed %d times: %v", installed, err)
	}
}
