package manifests

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// What is rendered is shown to the programs that will read it. They are those
// that the lab has built; without them these tests are left out.

func binary(t *testing.T, set, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	for _, place := range []string{"bin", "files/dl.k8s.io/release/v*/bin/linux/*"} {
		found, _ := filepath.Glob(filepath.Join(cache, "drover-lab/components", set+"-*", place, name))
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Skipf("the lab has built no %s", name)
	return ""
}

// run gives what a program said, and its exit code; it must end by itself.
func run(t *testing.T, argv ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
		t.Fatalf("%s: %v\n%s", argv[0], err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

var dropped = regexp.MustCompile(`\\\n\s*`)

// flags are those of a unit's ExecStart=, read back as systemd would.
func flags(t *testing.T, unit []byte) []string {
	t.Helper()
	for line := range strings.Lines(dropped.ReplaceAllString(string(unit), " ")) {
		if words, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Fields(words)[1:]
		}
	}
	t.Fatalf("no ExecStart= in %s", unit)
	return nil
}

// --version ends each of them after the flags were parsed, and before they are
// acted on: an unknown flag or a value of the wrong type is an error by then.
func TestFlagsAreKnown(t *testing.T) {
	for set, c := range map[string]struct{ set, name string }{
		"etcd": {"etcd", "etcd"}, "apiserver": {"kubernetes", "kube-apiserver"},
		"controller-manager": {"kubernetes", "kube-controller-manager"}, "scheduler": {"kubernetes", "kube-scheduler"},
		"kubelet": {"kubernetes", "kubelet"}, "kube-proxy": {"kubernetes", "kube-proxy"}, "containerd": {"containerd", "containerd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			argv := append([]string{binary(t, c.set, c.name)}, flags(t, files(t, sets[set])[0].Content)...)
			if out, code := run(t, append(argv, "--version")...); code != 0 {
				t.Errorf("exit %d: %s", code, out)
			}
			if out, code := run(t, append(argv, "--no-such-flag=1", "--version")...); code == 0 {
				t.Errorf("takes any flag, so that this test shows nothing: %s", out)
			}
		})
	}
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKubeletConfigIsRead(t *testing.T) {
	bin := binary(t, "kubernetes", "kubelet")
	for name, k := range map[string]Kubelet{"default": {AllowCgroupV1: true}, "lab": {Config: labKubelet.Config, AllowCgroupV1: true, MaxPods: 50}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k.NodeName, k.NodeIP, k.ClusterDNS = "n", ip("10.90.0.21"), ip("10.101.0.10")
			dir, content := t.TempDir(), files(t, k)[1].Content
			try := func(content []byte) string {
				out, _ := run(t, bin, "--config="+write(t, content), "--root-dir="+dir, "--cert-dir="+dir,
					"--kubeconfig="+dir+"/none", "--bootstrap-kubeconfig="+dir+"/absent", "--hostname-override=n")
				return out
			}
			// With its configuration read and found valid, the kubelet goes on to
			// what is not there.
			if out := try(content); !strings.Contains(out, "bootstrap kubeconfig") || strings.Contains(out, "failed to validate") {
				t.Errorf("the kubelet says: %s", out)
			}
			if out := try(append(content, "noSuchField: 1\n"...)); !strings.Contains(out, "noSuchField") {
				t.Errorf("the kubelet takes unknown fields, so that this test shows nothing: %s", out)
			}
		})
	}
}

func TestKubeProxyConfigIsRead(t *testing.T) {
	bin := binary(t, "kubernetes", "kube-proxy")
	for name, p := range map[string]KubeProxy{"default": proxy, "lab": labProxy} {
		to := filepath.Join(t.TempDir(), "out")
		out, code := run(t, bin, "--config="+write(t, files(t, p)[1].Content), "--write-config-to="+to)
		if strings.Contains(out, "fsnotify watcher init: too many open files") {
			t.Skip("this machine has no inotify instance left, which kube-proxy needs to read a file")
		}
		if code != 0 {
			t.Fatalf("%s: exit %d: %s", name, code, out)
		}
		var read struct {
			Mode      string
			Conntrack struct{ MaxPerCore int }
		}
		text, err := os.ReadFile(to)
		if err == nil {
			err = yaml.Unmarshal(text, &read)
		}
		if want := map[string]int{"default": 32768, "lab": 0}[name]; err != nil || read.Mode != "nftables" || read.Conntrack.MaxPerCore != want {
			t.Errorf("%s: %+v %v\n%s", name, read, err, out)
		}
	}
}

func TestContainerdConfigIsRead(t *testing.T) {
	bin := binary(t, "containerd", "containerd")
	for name, want := range map[string][]string{
		"containerd":     {"SystemdCgroup = true", "restrict_oom_score_adj = false", "bin_dirs = ['/opt/drover/cni-plugins/current', '/opt/cni/bin']"},
		"lab-containerd": {"SystemdCgroup = false", "restrict_oom_score_adj = true"},
	} {
		out, code := run(t, bin, "--config", write(t, files(t, sets[name])[1].Content), "config", "dump")
		want = append(want, "sandbox = 'registry.k8s.io/pause:3.10.2'", "config_path = '/etc/containerd/certs.d'",
			"BinaryName = '/opt/drover/runc/current/runc'", "snapshotter = 'overlayfs'", "address = '/run/containerd/containerd.sock'")
		for _, w := range want {
			if code != 0 || !strings.Contains(out, w) {
				t.Errorf("%s: exit %d, no %q in %s", name, code, w, out)
			}
		}
	}
}

func TestHAProxyConfigIsRead(t *testing.T) {
	bin, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip(err)
	}
	config := files(t, haproxy)[1].Content
	// Any CA will do; a Debian has one.
	const anyCA = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(anyCA); err != nil {
		t.Skip(err)
	}
	config = bytes.ReplaceAll(config, []byte(cert("ca")), []byte(anyCA))
	if out, code := run(t, bin, "-c", "-f", write(t, config)); code != 0 || strings.Contains(out, "WARNING") {
		t.Errorf("exit %d: %s", code, out)
	}
}

var installed = regexp.MustCompile(`/opt/drover/\S+|/usr/sbin/haproxy`)

func TestUnitsAreRead(t *testing.T) {
	bin, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	argv := []string{bin, "verify", "--man=no"}
	for name, c := range sets {
		if strings.HasPrefix(name, "lab-") || name == "host" {
			continue
		}
		f := files(t, c)[0]
		// systemd looks for the programs, which are not installed here.
		text := installed.ReplaceAll(f.Content, []byte("/bin/true"))
		file := filepath.Join(dir, filepath.Base(f.Path))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		argv = append(argv, file)
	}
	out, code := run(t, argv...)
	for line := range strings.Lines(out) {
		// Units of this machine are not ours to judge.
		if strings.Contains(line, dir) || strings.Contains(line, "kube") || strings.Contains(line, "etcd") || strings.Contains(line, "drover") {
			t.Error(line)
		}
	}
	if code != 0 && !t.Failed() {
		t.Logf("exit %d: %s", code, out)
	}
}

func TestSysctlsExist(t *testing.T) {
	fs, err := HostFiles()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(fs[0].Content)) {
		name, _, isSetting := strings.Cut(line, " = ")
		if !isSetting {
			continue
		}
		name, _ = strings.CutPrefix(name, "-") // may be absent
		if _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(name, ".", "/")); err != nil {
			t.Error(err)
		}
	}
}

// The objects are what Kubernetes' own types can hold: nothing unknown, nothing
// twice.
func TestObjectsAreKnown(t *testing.T) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	for _, get := range []func() ([]Object, error){coredns.Objects, RBAC, Namespaces} {
		os, err := get()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range os {
			text, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := strict.Decode(text, nil, nil); err != nil {
				t.Errorf("%v: %v\n%s", o["kind"], err, text)
			}
		}
	}
}
