package image

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
	"strings"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/internal/debian"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/examples/lab"
)

// Kind is which image a machine is made from.
type Kind string

// The kinds of images.
const (
	Host   Kind = "host"   // kube-masters and kube-nodes
	Router Kind = "router" // routers and their clients
	Puppet Kind = "puppet" // the Puppet server
)

// Image is a root file system in the cache.
type Image struct {
	Rootfs string // read-only lower layer of a machine
	Apt    string // the apt repository that fits it; only Host has one
}

// buildLimit bounds the making of one image, a slow Debian mirror included.
const buildLimit = 15 * time.Minute

// Ensure returns the image of that kind, built now if the cache has none of
// this recipe; building is called first then. The build's own output goes to log.
func Ensure(ctx context.Context, cache string, kind Kind, log io.Writer, building func()) (Image, error) {
	recipe, err := readRecipe(kind)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", kind, err)
	}
	dir := recipe.dir(cache)
	if img, ok := open(dir); ok {
		return img, nil
	}
	lock, err := lockfile.Acquire(ctx, dir+".lock", "building the "+string(kind)+" image", buildLimit)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", kind, err)
	}
	defer lock.Remove()
	if img, ok := open(dir); ok { // built while we waited
		return img, nil
	}
	building()
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	if err := recipe.build(ctx, dir, log); err != nil {
		return Image{}, fmt.Errorf("image %s: %w", kind, err)
	}
	img, ok := open(dir)
	if !ok {
		return Image{}, fmt.Errorf("image %s: built, but %s holds none", kind, dir)
	}
	return img, nil
}

// Cached reports whether the cache holds the image of that kind.
func Cached(cache string, kind Kind) (bool, error) {
	recipe, err := readRecipe(kind)
	if err != nil {
		return false, fmt.Errorf("image %s: %w", kind, err)
	}
	_, ok := open(recipe.dir(cache))
	return ok, nil
}

// open is the image in dir; a directory is only given its name when complete.
func open(dir string) (Image, bool) {
	img := Image{Rootfs: filepath.Join(dir, "rootfs"), Apt: filepath.Join(dir, "apt")}
	if _, err := os.Stat(img.Rootfs); err != nil {
		return Image{}, false
	}
	if _, err := os.Stat(img.Apt); err != nil {
		img.Apt = ""
	}
	return img, true
}

// recipe is all that an image's content depends on.
type recipe struct {
	kind     Kind
	packages []string
	files    map[string][]byte // scripts and lists, by name
	order    []string          // names of files, sorted
}

func readRecipe(kind Kind) (recipe, error) {
	r := recipe{kind: kind, files: map[string][]byte{}}
	names := []string{"apt.packages", "common.sh", string(kind) + ".packages", string(kind) + ".sh"}
	for _, name := range names {
		content, err := fs.ReadFile(lab.Machine, "machine/"+name)
		if err != nil {
			return r, err
		}
		r.files[name] = content
		r.order = append(r.order, name)
	}
	for line := range strings.Lines(string(r.files[string(kind)+".packages"])) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			r.packages = append(r.packages, line)
		}
	}
	return r, nil
}

func (r recipe) dir(cache string) string {
	return filepath.Join(cache, "images", string(r.kind)+"-"+r.key())
}

func (r recipe) key() string {
	h := sha256.New()
	fmt.Fprintf(h, "suite %s\n", debian.Suite)
	for _, name := range r.order {
		fmt.Fprintf(h, "%s %d\n%s", name, len(r.files[name]), r.files[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// build makes the image beside its place and gives it its name at the end.
func (r recipe) build(ctx context.Context, dir string, log io.Writer) error {
	tmp := dir + ".partial" // one name: what a killed build left is replaced
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	scripts := filepath.Join(tmp, "recipe")
	if err := os.MkdirAll(scripts, 0o755); err != nil {
		return err
	}
	for _, name := range r.order {
		if err := os.WriteFile(filepath.Join(scripts, name), r.files[name], 0o755); err != nil {
			return err
		}
	}
	rootfs := filepath.Join(tmp, "rootfs")
	err := debian.Bootstrap(ctx, rootfs, debian.Options{
		Packages: r.packages,
		Hooks: []string{
			fmt.Sprintf(`cp %s/apt.packages "$1/lab-apt.packages"`, scripts),
			fmt.Sprintf(`sh %s/common.sh "$1"`, scripts),
			fmt.Sprintf(`sh %s/%s.sh "$1"`, scripts, r.kind),
			`rm "$1/lab-apt.packages"`,
		},
		Log: log,
	})
	if err != nil {
		return err
	}
	if err := takeRepository(rootfs, filepath.Join(tmp, "apt")); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// takeRepository moves the packages a recipe downloaded out of the root and
// writes their index. A root without any has no repository.
func takeRepository(rootfs, repo string) error {
	if err := os.Rename(filepath.Join(rootfs, "lab-apt"), repo); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	stanzas, err := os.ReadFile(filepath.Join(repo, "stanzas"))
	if err != nil {
		return err
	}
	index, err := packagesIndex(string(stanzas), func(glob string) (string, error) {
		found, err := filepath.Glob(filepath.Join(repo, glob))
		if err != nil || len(found) != 1 {
			return "", fmt.Errorf("apt repository: %d files %s (%v)", len(found), glob, err)
		}
		return filepath.Base(found[0]), nil
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(repo, "Packages"), []byte(index), 0o644); err != nil {
		return err
	}
	return os.Remove(filepath.Join(repo, "stanzas"))
}

// packagesIndex turns apt's own description of packages into the index of a
// flat repository: the same stanzas, each naming the file beside the index.
func packagesIndex(stanzas string, find func(glob string) (string, error)) (string, error) {
	var b strings.Builder
	for stanza := range strings.SplitSeq(strings.TrimSpace(stanzas), "\n\n") {
		var name string
		for line := range strings.Lines(stanza) {
			if v, ok := strings.CutPrefix(line, "Package: "); ok {
				name = strings.TrimSpace(v)
			}
		}
		file, err := find(name + "_*.deb")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(stanza) {
			if strings.HasPrefix(line, "Filename: ") {
				line = "Filename: ./" + file + "\n"
			}
			b.WriteString(strings.TrimRight(line, "\n") + "\n")
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
