package mirror

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
)

// files serves release files by their upstream paths.
type files struct {
	artifacts map[string]components.Artifact // by path
	digests   map[string]string              // content of files of digests, by path
	dirs      map[string][]string            // sorted names, directories with a slash; "" is the root
	apt       http.Handler                   // nil without an apt repository
}

// Files serves the release files of set under HOST/PATH, each with its digest
// beside it as FILE.sha256 and in the file upstream publishes it in. With an
// aptDir, that directory is served as /apt/.
func Files(set components.Set, aptDir string) http.Handler {
	f := &files{
		artifacts: map[string]components.Artifact{},
		digests:   map[string]string{},
		dirs:      map[string][]string{"": nil},
	}
	for _, a := range set.Artifacts {
		f.artifacts[a.Path] = a
		f.digests[a.Path+".sha256"] = a.SHA256 + "\n"
	}
	for _, a := range set.Artifacts {
		if a.Sums != "" && a.Sums != a.Path+".sha256" {
			f.digests[a.Sums] += a.SHA256 + "  " + path.Base(a.Path) + "\n"
		}
	}
	for p := range f.artifacts {
		f.list(p)
	}
	for p := range f.digests {
		f.list(p)
	}
	if aptDir != "" {
		f.apt = http.StripPrefix("/apt", http.FileServer(http.Dir(aptDir)))
		f.list("apt/")
	}
	for dir, names := range f.dirs {
		slices.Sort(names)
		f.dirs[dir] = slices.Compact(names)
	}
	return f
}

// list enters a path into the directories above it.
func (f *files) list(p string) {
	name := path.Base(p)
	if strings.HasSuffix(p, "/") {
		name += "/"
	}
	dir := path.Dir(strings.TrimSuffix(p, "/"))
	for {
		if dir == "." {
			f.dirs[""] = append(f.dirs[""], name)
			return
		}
		f.dirs[dir] = append(f.dirs[dir], name)
		name, dir = path.Base(dir)+"/", path.Dir(dir)
	}
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this mirror is read-only", http.StatusMethodNotAllowed)
		return
	}
	if f.apt != nil && (r.URL.Path == "/apt" || strings.HasPrefix(r.URL.Path, "/apt/")) {
		f.apt.ServeHTTP(w, r)
		return
	}
	p := strings.Trim(path.Clean("/"+r.URL.Path), "/")
	if a, ok := f.artifacts[p]; ok {
		f.serveArtifact(w, r, a)
		return
	}
	if digest, ok := f.digests[p]; ok {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, digest)
		return
	}
	if names, ok := f.dirs[p]; ok {
		if !strings.HasSuffix(r.URL.Path, "/") {
			// Relative links in a listing need the slash.
			http.Redirect(w, r, "/"+escape(p)+"/", http.StatusMovedPermanently)
			return
		}
		listing(w, p, names)
		return
	}
	http.Error(w, fmt.Sprintf("%s: no such file; the nearest directory there is: /%s", r.URL.Path, f.nearest(p)), http.StatusNotFound)
}

// serveArtifact answers ranges and conditions as any file server does; the
// digest is the one honest entity tag.
func (f *files) serveArtifact(w http.ResponseWriter, r *http.Request, a components.Artifact) {
	file, err := os.Open(a.File)
	if err != nil {
		http.Error(w, fmt.Sprintf("%s: the component cache has lost it (%v): run drover-lab components build", a.Path, err), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", `"`+a.SHA256+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// nearest is the deepest directory above p that exists, with a slash at its end.
func (f *files) nearest(p string) string {
	for p = path.Dir(p); p != "."; p = path.Dir(p) {
		if _, ok := f.dirs[p]; ok {
			return p + "/"
		}
	}
	return ""
}

func listing(w http.ResponseWriter, dir string, names []string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!DOCTYPE html>\n<title>/%s</title>\n<pre>\n", html.EscapeString(dir))
	for _, name := range names {
		fmt.Fprintf(w, "<a href=\"%s\">%s</a>\n", html.EscapeString("./"+escape(name)), html.EscapeString(name))
	}
	fmt.Fprint(w, "</pre>\n")
}

func escape(p string) string { return (&url.URL{Path: p}).EscapedPath() }
