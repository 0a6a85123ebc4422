package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
)

// images is a read-only registry. go-containerregistry has one too, but it
// keeps what it serves in memory and refuses the open-ended ranges with which
// a container runtime resumes a transfer.
type images struct {
	manifests map[string]manifest // by REPO@DIGEST and REPO:TAG
	tags      map[string][]string // by repository
	blobs     map[string]string   // files, by digest
}

type manifest struct {
	raw       []byte
	mediaType string
	digest    string
}

// Registry serves the images of set as every registry they are named after:
// registry.k8s.io/pause is found as pause, which is what a container runtime
// asks a mirror of registry.k8s.io for, and also under its whole name.
func Registry(set components.Set) (http.Handler, error) {
	all := &images{manifests: map[string]manifest{}, tags: map[string][]string{}, blobs: map[string]string{}}
	for _, image := range set.Images {
		if err := all.add(image); err != nil {
			return nil, fmt.Errorf("registry: image %s: %w", image.Name, err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{rest...}", all.serve) // and HEAD
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is read-only")
	})
	return mux, nil
}

func (s *images) add(image components.Image) error {
	ref, err := name.ParseReference(image.Name)
	if err != nil {
		return err
	}
	digest, err := v1.NewHash(image.Digest)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(blobFile(image.Dir, digest))
	if err != nil {
		return err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	// A digest names one content wherever it is, so blobs need no repository.
	for _, d := range append(m.Layers, m.Config) {
		s.blobs[d.Digest.String()] = blobFile(image.Dir, d.Digest)
	}
	entry := manifest{raw: raw, mediaType: string(m.MediaType), digest: image.Digest}
	repo := ref.Context()
	for _, r := range []string{repo.RepositoryStr(), registryName(repo.Registry) + "/" + repo.RepositoryStr()} {
		s.manifests[r+"@"+image.Digest] = entry
		s.manifests[r+":"+ref.Identifier()] = entry
		s.tags[r] = append(s.tags[r], ref.Identifier())
		slices.Sort(s.tags[r])
	}
	return nil
}

// serve answers /v2/, /v2/REPO/manifests/REF, /v2/REPO/blobs/DIGEST and
// /v2/REPO/tags/list. The kind comes after the repository, which has slashes of
// its own, so it is found from the end.
func (s *images) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	elems := strings.Split(strings.TrimSuffix(r.PathValue("rest"), "/"), "/")
	if len(elems) == 1 && elems[0] == "" {
		fmt.Fprint(w, "{}")
		return
	}
	if len(elems) < 3 {
		refuse(w, http.StatusNotFound, "NAME_INVALID", r.URL.Path+" names no repository")
		return
	}
	n := len(elems)
	repo, kind, id := strings.Join(elems[:n-2], "/"), elems[n-2], elems[n-1]
	switch {
	case kind == "manifests":
		s.serveManifest(w, r, repo, id)
	case kind == "blobs":
		s.serveBlob(w, r, id)
	case kind == "tags" && id == "list":
		s.serveTags(w, repo)
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "this registry serves manifests, blobs and tags/list")
	}
}

func (s *images) serveManifest(w http.ResponseWriter, r *http.Request, repo, id string) {
	separator := ":"
	if strings.Contains(id, ":") {
		separator = "@"
	}
	m, ok := s.manifests[repo+separator+id]
	if !ok {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", fmt.Sprintf("there is no image %s%s%s; tags of %s: %s",
			repo, separator, id, repo, strings.Join(s.tags[repo], " ")))
		return
	}
	serveDigest(w, m.digest, m.mediaType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.raw))
}

func (s *images) serveBlob(w http.ResponseWriter, r *http.Request, digest string) {
	file, ok := s.blobs[digest]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "there is no blob "+digest)
		return
	}
	f, err := os.Open(file)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "UNKNOWN",
			fmt.Sprintf("the component cache has lost %s (%v): run drover-lab components build", digest, err))
		return
	}
	defer f.Close()
	serveDigest(w, digest, "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

func (s *images) serveTags(w http.ResponseWriter, repo string) {
	tags, ok := s.tags[repo]
	if !ok {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "there is no repository "+repo)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": repo, "tags": tags})
}

func serveDigest(w http.ResponseWriter, digest, mediaType string) {
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("ETag", `"`+digest+`"`)
	w.Header().Set("Content-Type", mediaType)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The only way to fail here is a client that went away.
	_ = json.NewEncoder(w).Encode(v)
}

// registryName is a registry as people write it: Docker's own goes by a
// different name on the wire.
func registryName(r name.Registry) string {
	if r.RegistryStr() == name.DefaultRegistry {
		return "docker.io"
	}
	return r.RegistryStr()
}

func blobFile(dir string, h v1.Hash) string {
	return filepath.Join(dir, "blobs", h.Algorithm, h.Hex)
}
