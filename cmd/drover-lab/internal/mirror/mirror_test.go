package mirror

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
)

func get(t *testing.T, h http.Handler, method, target string, header ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func toySet(t *testing.T) components.Set {
	t.Helper()
	dir := t.TempDir()
	artifact := func(path, content, sums string) components.Artifact {
		file := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return components.Artifact{Path: path, File: file, SHA256: "d-" + content, Sums: sums}
	}
	return components.Set{Artifacts: []components.Artifact{
		artifact("dl.k8s.io/release/v1.0.0/bin/linux/amd64/kubelet", "kubelet", "dl.k8s.io/release/v1.0.0/bin/linux/amd64/kubelet.sha256"),
		artifact("github.com/etcd-io/etcd/releases/download/v3/etcd.tar.gz", "etcd", "github.com/etcd-io/etcd/releases/download/v3/SHA256SUMS"),
		artifact("github.com/etcd-io/etcd/releases/download/v3/other.tar.gz", "other", "github.com/etcd-io/etcd/releases/download/v3/SHA256SUMS"),
	}}
}

func TestFiles(t *testing.T) {
	apt := t.TempDir()
	if err := os.WriteFile(filepath.Join(apt, "Packages"), []byte("Package: haproxy"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := Files(toySet(t), apt)
	tests := []struct {
		path string
		code int
		want string
	}{
		{"/dl.k8s.io/release/v1.0.0/bin/linux/amd64/kubelet", 200, "kubelet"},
		{"/dl.k8s.io/release/v1.0.0/bin/linux/amd64/kubelet.sha256", 200, "d-kubelet\n"},
		{"/github.com/etcd-io/etcd/releases/download/v3/etcd.tar.gz.sha256", 200, "d-etcd\n"},
		{"/github.com/etcd-io/etcd/releases/download/v3/SHA256SUMS", 200, "d-etcd  etcd.tar.gz\nd-other  other.tar.gz\n"},
		{"/", 200, `<a href="./github.com/">github.com/</a>`},
		{"/", 200, `<a href="./apt/">apt/</a>`},
		{"/github.com/etcd-io/etcd/releases/download/v3/", 200, `<a href="./etcd.tar.gz">etcd.tar.gz</a>`},
		{"/github.com/etcd-io", 301, "/github.com/etcd-io/"},
		{"/apt/Packages", 200, "Package: haproxy"},
		{"/apt/", 200, "Packages"},
		{"/dl.k8s.io/release/v9.9.9/bin/linux/amd64/kubelet", 404, "nearest directory there is: /dl.k8s.io/release/\n"},
		{"/example.com/x", 404, "nearest directory there is: /\n"},
		{"/../etc/passwd", 404, "no such file"},
	}
	for _, tt := range tests {
		code, body, _ := get(t, h, "GET", tt.path)
		if code != tt.code || !strings.Contains(body, tt.want) {
			t.Errorf("GET %s: %d %q, want %d with %q", tt.path, code, body, tt.code, tt.want)
		}
	}
}

func TestFilesProtocol(t *testing.T) {
	h := Files(toySet(t), "")
	const kubelet = "/dl.k8s.io/release/v1.0.0/bin/linux/amd64/kubelet"
	if code, body, _ := get(t, h, "GET", kubelet, "Range", "bytes=4-"); code != http.StatusPartialContent || body != "let" {
		t.Errorf("range: %d %q", code, body)
	}
	if code, body, header := get(t, h, "HEAD", kubelet); code != 200 || body != "" || header.Get("Content-Length") != "7" {
		t.Errorf("head: %d %q %v", code, body, header)
	}
	if code, _, _ := get(t, h, "GET", kubelet, "If-None-Match", `"d-kubelet"`); code != http.StatusNotModified {
		t.Errorf("conditional: %d", code)
	}
	if code, _, header := get(t, h, "PUT", kubelet); code != http.StatusMethodNotAllowed || header.Get("Allow") == "" {
		t.Errorf("put: %d %v", code, header)
	}
	if code, _, _ := get(t, h, "GET", "/apt/"); code != 404 {
		t.Errorf("apt without a repository: %d", code)
	}
}

// savedImage is a random image in a layout, as components saves its own.
func savedImage(t *testing.T, ref string) (components.Image, v1.Image) {
	t.Helper()
	img, err := random.Image(2048, 2)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return components.Image{Name: ref, Dir: dir, Digest: digest.String()}, img
}

func TestRegistryPull(t *testing.T) {
	pause, _ := savedImage(t, "registry.k8s.io/pause:3.10.1")
	node, _ := savedImage(t, "docker.io/calico/node:v3.30.1")
	busybox, _ := savedImage(t, "busybox:1.36")
	h, err := Registry(components.Set{Images: []components.Image{pause, node, busybox}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	for ref, want := range map[string]string{
		"pause:3.10.1":                   pause.Digest,
		"registry.k8s.io/pause:3.10.1":   pause.Digest,
		"pause@" + pause.Digest:          pause.Digest,
		"calico/node:v3.30.1":            node.Digest,
		"docker.io/calico/node:v3.30.1":  node.Digest,
		"library/busybox:1.36":           busybox.Digest,
		"docker.io/library/busybox:1.36": busybox.Digest,
	} {
		r, err := name.ParseReference(host + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		img, err := remote.Image(r)
		if err != nil {
			t.Errorf("pull %s: %v", ref, err)
			continue
		}
		if digest, err := img.Digest(); err != nil || digest.String() != want {
			t.Errorf("pull %s: %v, %v, want %s", ref, digest, err, want)
		}
		if err := validate.Image(img); err != nil {
			t.Errorf("pull %s: %v", ref, err)
		}
	}
	repo, err := name.NewRepository(host + "/calico/node")
	if err != nil {
		t.Fatal(err)
	}
	if tags, err := remote.List(repo); err != nil || len(tags) != 1 || tags[0] != "v3.30.1" {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if err := remote.Delete(repo.Tag("v3.30.1")); err == nil {
		t.Error("the registry let an image be deleted")
	}
}

func TestRegistryProtocol(t *testing.T) {
	saved, img := savedImage(t, "docker.io/calico/node:v3.30.1")
	h, err := Registry(components.Set{Images: []components.Image{saved}})
	if err != nil {
		t.Fatal(err)
	}
	// What containerd asks a mirror of docker.io for.
	code, body, header := get(t, h, "HEAD", "/v2/calico/node/manifests/v3.30.1?ns=docker.io")
	if code != 200 || body != "" || header.Get("Docker-Content-Digest") != saved.Digest || header.Get("Content-Type") == "" {
		t.Errorf("head: %d %q %v", code, body, header)
	}
	if code, _, _ := get(t, h, "GET", "/v2/"); code != 200 {
		t.Errorf("ping: %d", code)
	}
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	code, body, _ = get(t, h, "GET", "/v2/calico/node/blobs/"+config.String()+"?ns=docker.io", "Range", "bytes=5-")
	if code != http.StatusPartialContent || body != string(raw[5:]) {
		t.Errorf("resumed blob: %d %q", code, body)
	}
	for path, want := range map[string]string{
		"/v2/calico/node/manifests/v9":        "tags of calico/node: v3.30.1",
		"/v2/calico/typha/manifests/v3.30.1":  "MANIFEST_UNKNOWN",
		"/v2/calico/node/blobs/sha256:0":      "BLOB_UNKNOWN",
		"/v2/calico/node/referrers/sha256:0":  "UNSUPPORTED",
		"/v2/calico/typha/tags/list":          "NAME_UNKNOWN",
		"/v2/nothing":                         "NAME_INVALID",
		"/v2/calico/node/manifests/sha256:00": "MANIFEST_UNKNOWN",
	} {
		if code, body, _ := get(t, h, "GET", path); code != 404 || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %q, want 404 with %q", path, code, body, want)
		}
	}
	if code, body, _ := get(t, h, "PUT", "/v2/calico/node/manifests/v1"); code != 405 || !strings.Contains(body, "read-only") {
		t.Errorf("put: %d %q", code, body)
	}
}

func TestRegistryOfABrokenCache(t *testing.T) {
	saved, _ := savedImage(t, "docker.io/calico/node:v3.30.1")
	if err := os.RemoveAll(filepath.Join(saved.Dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	_, err := Registry(components.Set{Images: []components.Image{saved}})
	if err == nil || !strings.Contains(err.Error(), "docker.io/calico/node:v3.30.1") {
		t.Errorf("error %v does not name the image", err)
	}
}
