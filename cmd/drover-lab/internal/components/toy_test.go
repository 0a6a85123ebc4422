package components

import (
	"context"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/oci"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
)

const (
	toyProgram = "example.com/toy/releases/v1.0.0/toy"
	toyArchive = "example.com/toy/releases/v1.0.0/toy.tar.gz"
	toyName    = "registry.example.com/toy:v1.0.0"
)

// toy is a set of one program without requirements, which compiles offline in
// a moment, published as itself and in an archive.
func toy(source string) recipe {
	return recipe{
		name: "toy", version: "1.0.0", keep: []string{"toy"},
		module: &module{
			Mod:     []byte("module example.com/toy\n\ngo 1.26.0\n"),
			Sources: map[string][]byte{"main.go": []byte(source)},
		},
		builds: []gotool.Build{{Packages: []string{"."}, LDFlags: stripped + " -X main.version=1.0.0"}},
		releases: []release{
			{Component: "toy", Path: toyProgram, Sums: "example.com/toy/releases/v1.0.0/SHA256SUMS"},
			{Component: "toy-archive", Path: toyArchive, Sums: toyArchive + ".sha256"},
		},
		pack: func(_ context.Context, w *work) error {
			if err := w.archive("toy-archive", "toy/bin/", "toy"); err != nil {
				return err
			}
			name, err := w.file("toy")
			if err != nil {
				return err
			}
			if err := tree.WriteFile(name, []tree.Entry{tree.File("toy", w.bin("toy"), 0o755)}); err != nil {
				return err
			}
			return w.published("toy")
		},
	}
}

// toyImages is a set of one image, made from the toy's program.
func toyImages() recipe {
	return recipe{
		name: "toy-images", version: "1.0.0", needs: []string{"toy"}, images: []string{toyName},
		pack: func(_ context.Context, w *work) error {
			return w.image(oci.Spec{
				Entries: []tree.Entry{tree.File("toy", w.need("toy", "bin/toy"), 0o755)},
				Config:  v1.Config{Entrypoint: []string{"/toy"}},
			}, toyName)
		},
	}
}

const hello = `package main

import "fmt"

var version string

func main() { fmt.Println("toy", version) }
`

// told collects events as "kind set".
func told(events *[]string) func(Event) {
	return func(e Event) {
		if e.Kind != Progressed {
			*events = append(*events, e.Kind.String()+" "+e.Set)
		}
	}
}

func toyBuilder(t *testing.T, cache Cache, o Options, recipes ...recipe) (Set, error) {
	t.Helper()
	return builder{cache: cache, recipes: recipes, options: o}.build(t.Context())
}
