package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
)

func TestAssembleAndSave(t *testing.T) {
	save := func() (dir, digest string) {
		scratch := t.TempDir()
		base := filepath.Join(scratch, "base.tar")
		if err := tree.WriteFile(base, []tree.Entry{tree.Text("etc/os-release", "ID=debian\n", 0o644)}); err != nil {
			t.Fatal(err)
		}
		img, err := Assemble(scratch, Spec{
			Base:    base,
			Entries: []tree.Entry{tree.Text("usr/bin/x", "#!/bin/sh\n", 0o755)},
			Config:  v1.Config{Entrypoint: []string{"/usr/bin/x"}, Env: []string{"A=b"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		dir = t.TempDir()
		digest, err = Save(dir, "docker.io/calico/node:v1", img)
		if err != nil {
			t.Fatal(err)
		}
		return dir, digest
	}
	dir, digest := save()
	if _, again := save(); again != digest {
		t.Errorf("equal files make the digests %s and %s", digest, again)
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	img, err := path.Image(hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture == "" || config.Config.Entrypoint[0] != "/usr/bin/x" || len(config.RootFS.DiffIDs) != 2 {
		t.Errorf("configuration %+v", config)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil || !strings.Contains(string(index), "docker.io/calico/node:v1") {
		t.Errorf("the layout does not name its image: %s, %v", index, err)
	}
}

func TestSaveRefusesABadName(t *testing.T) {
	if _, err := Save(t.TempDir(), "UPPER case", nil); err == nil || !strings.Contains(err.Error(), "UPPER case") {
		t.Errorf("error %v", err)
	}
}
