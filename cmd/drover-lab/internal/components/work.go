package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/oci"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
)

// work is a set being put together, in a directory that will be the set's:
//
//	files/    release files, under their mirror paths
//	images/   OCI layouts
//	bin/      programs that other sets are made from
//	share/    files of the sources that other sets are made from
//	scratch/  removed at the end
type work struct {
	recipe    recipe
	dir       string
	needs     map[string]string // set → its directory
	toolchain gotool.Toolchain
	say       func(string)
	record    record
}

func (w *work) bin(name string) string { return filepath.Join(w.dir, "bin", name) }

func (w *work) share(name string) string { return filepath.Join(w.dir, "share", name) }

func (w *work) scratch(name string) string { return filepath.Join(w.dir, "scratch", name) }

// need is a file of a set that this one needs.
func (w *work) need(set string, elem ...string) string {
	return filepath.Join(append([]string{w.needs[set]}, elem...)...)
}

func (w *work) goTool() gotool.Go {
	return gotool.Go{Toolchain: w.toolchain, Scratch: w.scratch("tmp"), Line: w.say}
}

// log hands what is written to it to say, line by line.
type log struct{ say func(string) }

func (l log) Write(p []byte) (int, error) {
	for line := range strings.FieldsFuncSeq(string(p), func(r rune) bool { return r == '\n' || r == '\r' }) {
		l.say(line)
	}
	return len(p), nil
}

// compile runs the recipe's builds, leaving the programs in bin.
func (w *work) compile(ctx context.Context) error {
	files := map[string][]byte{"go.mod": w.recipe.module.Mod, "go.sum": w.recipe.module.Sum}
	for name, content := range w.recipe.module.Sources {
		files[name] = content
	}
	for _, dir := range []string{w.scratch("module"), w.scratch("tmp"), w.bin("")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(w.scratch("module"), name), content, 0o644); err != nil {
			return err
		}
	}
	for _, b := range w.recipe.builds {
		if _, err := w.goTool().Build(ctx, w.scratch("module"), w.bin(""), b); err != nil {
			return err
		}
	}
	return nil
}

// moduleDir is where the sources of a module that was compiled are.
func (w *work) moduleDir(ctx context.Context, path string) (string, error) {
	return w.goTool().ModuleDir(ctx, w.scratch("module"), path)
}

// release looks up a release file by what it is called here.
func (w *work) release(component string) (release, error) {
	for _, r := range w.recipe.releases {
		if r.Component == component {
			return r, nil
		}
	}
	return release{}, fmt.Errorf("set %s has no component %s", w.recipe.name, component)
}

// file is where a component's release file belongs, its directory made.
func (w *work) file(component string) (string, error) {
	r, err := w.release(component)
	if err != nil {
		return "", err
	}
	name := filepath.Join(w.dir, "files", filepath.FromSlash(r.Path))
	return name, os.MkdirAll(filepath.Dir(name), 0o755)
}

// programs are the names of all compiled programs.
func (w *work) programs() ([]string, error) {
	entries, err := os.ReadDir(w.bin(""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// rename gives a compiled program another name.
func (w *work) rename(from, to string) error { return os.Rename(w.bin(from), w.bin(to)) }

// program makes a compiled program a release file.
func (w *work) program(component string) error {
	name, err := w.file(component)
	if err != nil {
		return err
	}
	if err := os.Rename(w.bin(component), name); err != nil {
		return err
	}
	return w.published(component)
}

// archive makes compiled programs a release file: a tarball that has them in dir.
func (w *work) archive(component, dir string, programs ...string) error {
	name, err := w.file(component)
	if err != nil {
		return err
	}
	var entries []tree.Entry
	if d := strings.TrimRight(dir, "/"); d != "." {
		entries = append(entries, tree.Dir(d, 0o755))
	}
	for _, p := range programs {
		entries = append(entries, tree.File(dir+p, w.bin(p), 0o755))
	}
	if err := tree.WriteFile(name, entries); err != nil {
		return err
	}
	return w.published(component)
}

// published records a release file that is in its place.
func (w *work) published(component string) error {
	r, err := w.release(component)
	if err != nil {
		return err
	}
	name, err := w.file(component)
	if err != nil {
		return err
	}
	digest, size, err := digestOf(name)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(w.dir, name)
	if err != nil {
		return err
	}
	w.record.Artifacts = append(w.record.Artifacts, Artifact{
		Component: component, Version: w.recipe.version, Path: r.Path, Sums: r.Sums,
		File: rel, SHA256: digest, Size: size,
	})
	return nil
}

// image assembles and records an image, under each of its names.
func (w *work) image(s oci.Spec, names ...string) error {
	w.say("image " + names[0])
	dir := w.scratch("image")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	img, err := oci.Assemble(dir, s)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.saveImage(name, img); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

func (w *work) saveImage(name string, img v1.Image) error {
	dir := filepath.Join("images", strings.NewReplacer("/", "_", ":", "_").Replace(name))
	digest, err := oci.Save(filepath.Join(w.dir, dir), name, img)
	if err != nil {
		return err
	}
	w.record.Images = append(w.record.Images, Image{Name: name, Dir: dir, Digest: digest})
	return nil
}

// finish drops what only the making needed and checks that the recipe kept its word.
func (w *work) finish() error {
	if err := os.RemoveAll(w.scratch("")); err != nil {
		return err
	}
	programs, err := w.programs()
	if err != nil {
		return err
	}
	var problems []error
	for _, p := range programs {
		if !slices.Contains(w.recipe.keep, p) {
			problems = append(problems, os.Remove(w.bin(p)))
		}
	}
	for _, r := range w.recipe.releases {
		if !slices.ContainsFunc(w.record.Artifacts, func(a Artifact) bool { return a.Path == r.Path }) {
			problems = append(problems, fmt.Errorf("set %s was made without %s", w.recipe.name, r.Path))
		}
	}
	for _, name := range w.recipe.images {
		if !slices.ContainsFunc(w.record.Images, func(i Image) bool { return i.Name == name }) {
			problems = append(problems, fmt.Errorf("set %s was made without image %s", w.recipe.name, name))
		}
	}
	return errors.Join(problems...)
}

// digestOf reads a file once for its SHA-256 and its size.
func digestOf(name string) (digest string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}
