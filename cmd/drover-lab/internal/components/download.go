package components

import (
	"context"
	"fmt"
	"path"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/fetch"
)

// download fetches the recipe's release files and images from upstream.
func (w *work) download(ctx context.Context, d Download) error {
	source := fetch.Source{Mirror: d.Mirror, Client: d.Client}
	for _, r := range w.recipe.releases {
		w.say(r.Path)
		file, err := w.file(r.Component)
		if err != nil {
			return err
		}
		f := fetch.File{Path: r.Path, Sums: r.Sums, Pinned: r.Pinned}
		if _, err := source.Get(ctx, f, file); err != nil {
			return err
		}
		if err := w.published(r.Component); err != nil {
			return err
		}
	}
	for _, ref := range w.recipe.images {
		w.say(ref)
		img, err := pull(ctx, d, ref)
		if err != nil {
			return err
		}
		if err := w.saveImage(ref, img); err != nil {
			return err
		}
	}
	return nil
}

// pull opens an image of a registry; every blob is checked against its digest
// as it is read.
func pull(ctx context.Context, d Download, image string) (v1.Image, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image, err)
	}
	if d.Registry != "" {
		other, err := name.NewRegistry(d.Registry, name.Insecure)
		if err != nil {
			return nil, fmt.Errorf("registry %s: %w", d.Registry, err)
		}
		ref = other.Repo(ref.Context().RepositoryStr()).Tag(ref.Identifier())
	}
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}),
	}
	if d.Client != nil && d.Client.Transport != nil {
		options = append(options, remote.WithTransport(d.Client.Transport))
	}
	img, err := remote.Image(ref, options...)
	if err != nil {
		return nil, fmt.Errorf("image %s from %s: %w", image, ref.Context().RegistryStr(), err)
	}
	return img, nil
}

// github is the path of a file of a GitHub release.
func github(repo, tag, file string) string {
	return path.Join("github.com", repo, "releases/download", tag, file)
}

// arch is the architecture in the names of release files.
func arch() string { return runtime.GOARCH }
