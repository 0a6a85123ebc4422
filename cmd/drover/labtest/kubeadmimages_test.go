package labtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// kubeadmImages writes an archive of all images that a cluster of kubeadm's runs:
// those the lab has, and the control plane's, which are made here because only
// this comparison wants them.
func kubeadmImages(t testing.TB, file string) {
	t.Helper()
	all := map[string]v1.Image{}
	for _, s := range oneLab.Components(t).Sets {
		for _, i := range s.Images {
			all[i.Name] = saved(t, i.Dir)
		}
	}
	version := ":v" + oneLab.Components(t).Artifact(t, "kubeadm").Version
	for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		base := bare(t, "/usr/local/bin")
		if program == "kube-proxy" { // it calls nft, which this one has
			base = all[oneLab.Components(t).Image(t, "docker.io/calico/node").Name]
		}
		all["registry.k8s.io/"+program+version] = with(t, base, packed(t, oneLab.Components(t).Artifact(t, program).File))
	}
	// The release archive does as a layer.
	etcd := oneLab.Components(t).Artifact(t, "etcd")
	all[etcdImage(t)] = with(t, bare(t, "/"+strings.TrimSuffix(path.Base(etcd.Path), ".tar.gz")), func() (io.ReadCloser, error) { return os.Open(etcd.File) })

	tags := map[name.Tag]v1.Image{}
	for n, i := range all {
		tag, err := name.NewTag(n)
		if err != nil {
			t.Fatal(err)
		}
		tags[tag] = i
	}
	if err := tarball.MultiWriteToFile(file, tags); err != nil {
		t.Fatal(err)
	}
}

// saved is the one image of an OCI layout.
func saved(t testing.TB, dir string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	i, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// bare is an image without files.
func bare(t testing.TB, path string) v1.Image {
	t.Helper()
	i, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, Config: v1.Config{Env: []string{"PATH=" + path}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// etcdImage is what kubeadm calls the etcd that drover installs.
func etcdImage(t testing.TB) string {
	t.Helper()
	return "registry.k8s.io/etcd:" + oneLab.Components(t).Artifact(t, "etcd").Version + "-0"
}

// tag is what follows an image's name.
func tag(image string) string { return image[strings.LastIndex(image, ":")+1:] }

// with is an image with the files of a tar archive over its own.
func with(t testing.TB, base v1.Image, archive tarball.Opener) v1.Image {
	t.Helper()
	layer, err := tarball.LayerFromOpener(archive, tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		t.Fatal(err)
	}
	i, err := mutate.AppendLayers(base, layer)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// packed is a tar archive with one program, where images have theirs.
func packed(t testing.TB, program string) tarball.Opener {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err = w.WriteHeader(&tar.Header{Name: "usr/local/bin/" + filepath.Base(program), Mode: 0o755, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
}

// calicoWithoutTunnels is Calico's manifest with the one change that a lab's
// kernel asks for: it has no IPIP.
func calicoWithoutTunnels(t testing.TB) string {
	t.Helper()
	const always, never = "- name: CALICO_IPV4POOL_IPIP\n              value: \"Always\"", "- name: CALICO_IPV4POOL_IPIP\n              value: \"Never\""
	manifest, err := os.ReadFile(oneLab.Components(t).Artifact(t, "calico").File)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manifest), always) {
		t.Fatal("Calico's manifest does not choose IPIP where it did")
	}
	file := filepath.Join(labkit.WorkDir(), "calico.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(manifest), always, never, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
