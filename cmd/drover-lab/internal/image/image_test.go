package image

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stanzas = `Package: bird
Version: 1.6.8-2.1
Filename: pool/main/b/bird/bird_1.6.8-2.1_amd64.deb
Size: 499
SHA256: 1111
Description: Internet Routing Daemon
 with a second line

Package: libssh-gcrypt-4
Filename: pool/main/libs/libssh/libssh-gcrypt-4_0.10.6_amd64.deb
Size: 42
`

func TestPackagesIndex(t *testing.T) {
	asked := []string{}
	got, err := packagesIndex(stanzas, func(glob string) (string, error) {
		asked = append(asked, glob)
		return strings.Replace(glob, "*", "9%3a1_amd64", 1), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `Package: bird
Version: 1.6.8-2.1
Filename: ./bird_9%3a1_amd64.deb
Size: 499
SHA256: 1111
Description: Internet Routing Daemon
 with a second line

Package: libssh-gcrypt-4
Filename: ./libssh-gcrypt-4_9%3a1_amd64.deb
Size: 42

`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := []string{"bird_*.deb", "libssh-gcrypt-4_*.deb"}; !slices.Equal(asked, want) {
		t.Errorf("looked for %q, want %q", asked, want)
	}
	missing := errors.New("no such file")
	if _, err := packagesIndex(stanzas, func(string) (string, error) { return "", missing }); !errors.Is(err, missing) {
		t.Errorf("without the files: %v", err)
	}
}

func TestTakeRepository(t *testing.T) {
	root, repo := t.TempDir(), filepath.Join(t.TempDir(), "apt")
	if err := takeRepository(root, repo); err != nil {
		t.Fatalf("a root without packages: %v", err)
	}
	if _, err := os.Stat(repo); err == nil {
		t.Error("a root without packages has a repository")
	}
	apt := filepath.Join(root, "lab-apt")
	if err := os.Mkdir(apt, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"stanzas": stanzas, "bird_1.6.8-2.1_amd64.deb": "a", "libssh-gcrypt-4_0.10.6_amd64.deb": "b"} {
		if err := os.WriteFile(filepath.Join(apt, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := takeRepository(root, repo); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(repo, "Packages"))
	if err != nil || !strings.Contains(string(index), "Filename: ./bird_1.6.8-2.1_amd64.deb\n") {
		t.Errorf("index: %v\n%s", err, index)
	}
	for _, gone := range []string{apt, filepath.Join(repo, "stanzas")} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	// Two files of one package: which one the stanza means cannot be known.
	again := t.TempDir()
	if err := os.Rename(repo, filepath.Join(again, "lab-apt")); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"stanzas": stanzas, "bird_2.0_amd64.deb": "c"} {
		if err := os.WriteFile(filepath.Join(again, "lab-apt", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := takeRepository(again, repo); err == nil || !strings.Contains(err.Error(), "2 files bird_*.deb") {
		t.Errorf("two files of one package: %v", err)
	}
}

// Whatever of a recipe changes, its image is another.
func TestKeyCoversTheRecipe(t *testing.T) {
	base, err := readRecipe(Host)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := readRecipe(Host); err != nil || again.key() != base.key() {
		t.Errorf("one recipe, two keys: %s, %s (%v)", base.key(), again.key(), err)
	}
	router, err := readRecipe(Router)
	if err != nil || router.key() == base.key() {
		t.Errorf("both kinds have key %s (%v)", router.key(), err)
	}
	seen := map[string]string{base.key(): "the recipe"}
	change := func(what string, edit func(r *recipe)) {
		r := base
		r.files, r.order = maps.Clone(base.files), slices.Clone(base.order)
		edit(&r)
		if other, ok := seen[r.key()]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[r.key()] = what
	}
	for _, name := range base.order {
		change("a line more in "+name, func(r *recipe) { r.files[name] = append(slices.Clone(r.files[name]), '\n') })
		change("an empty "+name, func(r *recipe) { r.files[name] = nil })
	}
	// The end of one file moved to the start of the next.
	change("text moved between files", func(r *recipe) {
		a, b := r.order[0], r.order[1]
		cut := len(r.files[a]) - 5
		r.files[a], r.files[b] = r.files[a][:cut], append(slices.Clone(r.files[a][cut:]), r.files[b]...)
	})
	change("another name", func(r *recipe) {
		r.files["other.sh"] = r.files[r.order[0]]
		r.order[0] = "other.sh"
	})
}

func TestRecipesNamePackages(t *testing.T) {
	for kind, want := range map[Kind][]string{Host: {"openssh-server", "puppet-agent", "haproxy", "conntrack"}, Router: {"openssh-server", "frr"},
		Puppet: {"openssh-server", "puppet-agent", "puppetserver", "puppetdb", "puppet-terminus-puppetdb", "postgresql"}} {
		r, err := readRecipe(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range want {
			if !slices.Contains(r.packages, p) {
				t.Errorf("%s lacks %s: %q", kind, p, r.packages)
			}
		}
		for _, p := range r.packages {
			if p == "" || strings.ContainsAny(p, " #\t") {
				t.Errorf("%s has a package %q", kind, p)
			}
		}
	}
}

// A directory is an image once it has its root file system, and not before.
func TestCached(t *testing.T) {
	cache := t.TempDir()
	if ok, err := Cached(cache, Host); err != nil || ok {
		t.Errorf("an empty cache: %v, %v", ok, err)
	}
	r, err := readRecipe(Host)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(r.dir(cache)+".partial", "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if ok, err := Cached(cache, Host); err != nil || ok {
		t.Errorf("half an image: %v, %v", ok, err)
	}
	if err := os.Rename(r.dir(cache)+".partial", r.dir(cache)); err != nil {
		t.Fatal(err)
	}
	if ok, err := Cached(cache, Host); err != nil || !ok {
		t.Errorf("an image: %v, %v", ok, err)
	}
	img, err := Ensure(t.Context(), cache, Host, nil, func() { t.Error("built what the cache has") })
	if err != nil || img.Rootfs != filepath.Join(r.dir(cache), "rootfs") || img.Apt != "" {
		t.Errorf("%+v, %v", img, err)
	}
	if err := os.Mkdir(filepath.Join(r.dir(cache), "apt"), 0o755); err != nil {
		t.Fatal(err)
	}
	if img, err := Ensure(t.Context(), cache, Host, nil, nil); err != nil || img.Apt != filepath.Join(r.dir(cache), "apt") {
		t.Errorf("%+v, %v", img, err)
	}
}
