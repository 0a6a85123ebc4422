package oci

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
)

// refAnnotation is where an OCI layout keeps an image's name.
const refAnnotation = "org.opencontainers.image.ref.name"

// Spec is an image to assemble.
type Spec struct {
	// Base is a tar archive that becomes the first layer; empty means scratch.
	Base    string
	Entries []tree.Entry
	Config  v1.Config
}

// Assemble builds the image of s. The layers are read from files in scratch,
// which have to stay until the image is saved.
func Assemble(scratch string, s Spec) (v1.Image, error) {
	files := filepath.Join(scratch, "files.tar")
	if err := tree.WriteFile(files, s.Entries); err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, tar := range []string{s.Base, files} {
		if tar == "" {
			continue
		}
		// The fastest compression: layers travel over a network of one machine.
		layer, err := tarball.LayerFromFile(tar,
			tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestSpeed))
		if err != nil {
			return nil, fmt.Errorf("image layer %s: %w", filepath.Base(tar), err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, fmt.Errorf("image layer %s: %w", filepath.Base(tar), err)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", runtime.GOARCH, s.Config
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		return nil, fmt.Errorf("image configuration: %w", err)
	}
	return img, nil
}

// Save writes img as the one image of a new OCI layout in dir, under the given
// name, and returns its digest.
func Save(dir, ref string, img v1.Image) (string, error) {
	if _, err := name.ParseReference(ref); err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{refAnnotation: ref})); err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("image %s: %w", ref, err)
	}
	return digest.String(), nil
}
