package components_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
	"github.com/droverctl/drover/cmd/drover-lab/internal/mirror"
)

// TestDownload builds a set, serves it, and downloads it from there.
func TestDownload(t *testing.T) {
	built, releases, images, err := components.BuildToy(t.Context(), components.Cache{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	registry, err := mirror.Registry(built)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry)
	mux.Handle("/", mirror.Files(built, ""))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	from := components.Download{Mirror: srv.URL, Registry: strings.TrimPrefix(srv.URL, "http://"), Client: srv.Client()}

	// No compiler is needed for it.
	t.Setenv("PATH", "")
	cache := components.Cache{Dir: t.TempDir()}
	got, err := components.DownloadToy(t.Context(), cache, from, releases, images)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range built.Artifacts {
		if !hasArtifact(got, a.Path, a.SHA256) {
			t.Errorf("%s was not downloaded as it was built", a.Path)
		}
	}
	if len(got.Images) != 1 || got.Images[0].Digest != built.Images[0].Digest {
		t.Errorf("images %+v, want %+v", got.Images, built.Images)
	}
	if _, err := mirror.Registry(got); err != nil {
		t.Errorf("downloaded images cannot be served: %v", err)
	}

	// What is cached needs no network.
	srv.Close()
	if _, err := components.DownloadToy(t.Context(), cache, from, releases, images); err != nil {
		t.Errorf("second call: %v", err)
	}
}

func hasArtifact(set components.Set, path, digest string) bool {
	for _, a := range set.Artifacts {
		if a.Path == path && a.SHA256 == digest {
			return true
		}
	}
	return false
}

func TestDownloadRefusesACorruptedFile(t *testing.T) {
	built, releases, _, err := components.BuildToy(t.Context(), components.Cache{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	const corrupted = "not what was built"
	victim := built.Artifacts[0]
	if err := os.WriteFile(victim.File, []byte(corrupted), 0o644); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(mirror.Files(built, ""))
	t.Cleanup(srv.Close)
	cache := components.Cache{Dir: t.TempDir()}
	_, err = components.DownloadToy(t.Context(), cache, components.Download{Mirror: srv.URL}, releases, nil)
	if err == nil {
		t.Fatal("a corrupted file was accepted")
	}
	sum := sha256.Sum256([]byte(corrupted))
	for _, want := range []string{"component set toy", victim.Path, victim.SHA256, hex.EncodeToString(sum[:])} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
	if left, globErr := filepath.Glob(filepath.Join(cache.Dir, "components", "toy-*")); globErr != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, globErr)
	}
}
