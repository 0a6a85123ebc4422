package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/inventory"
)

// Lock is what releases must be: the file beside an inventory that says so.
type Lock struct {
	SchemaVersion int `json:"schema_version"`
	// Files maps a release's path to its digest, "sha256:" and 64 digits.
	Files map[string]string `json:"files"`
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ReadLock reads a lock file; one that does not exist locks nothing.
func ReadLock(path string) (Lock, error) {
	l := Lock{SchemaVersion: 1, Files: map[string]string{}}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("artifact lock: %w", err)
	}
	if err := json.Unmarshal(content, &l); err != nil {
		return l, fmt.Errorf("artifact lock %s: %w", path, err)
	}
	if l.SchemaVersion != 1 {
		return l, fmt.Errorf("artifact lock %s: schema_version %d: this drover reads 1", path, l.SchemaVersion)
	}
	for file, digest := range l.Files {
		if !digestForm.MatchString(digest) {
			return l, fmt.Errorf("artifact lock %s: %s: %q is no digest: want sha256: and 64 hexadecimal digits", path, file, digest)
		}
	}
	return l, nil
}

// Write writes the lock file.
func (l Lock) Write(path string) error {
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(content, '\n'), 0o644)
}

// MissingError is a release without a digest.
type MissingError struct{ Paths []string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("no digest is known for %d releases, the first is %s: run `drover artifacts lock` to fetch them once and write their digests, and compare those with what their makers publish",
		len(e.Paths), e.Paths[0])
}

// Check is a *MissingError for the releases the lock has no digest of.
func (l Lock) Check(releases []Release) error {
	var missing []string
	for _, r := range releases {
		if l.Files[r.Path] == "" {
			missing = append(missing, r.Path)
		}
	}
	if len(missing) > 0 {
		return &MissingError{missing}
	}
	return nil
}

// Fetcher fetches releases.
type Fetcher struct {
	Client  *http.Client
	Cluster *inventory.Cluster
}

// fetchers is how many releases are fetched at once.
const fetchers = 4

// MakeLock fetches every release and returns their digests.
func (f Fetcher) MakeLock(ctx context.Context, releases []Release, told func(Release, string)) (Lock, error) {
	l := Lock{SchemaVersion: 1, Files: map[string]string{}}
	digests := make([]string, len(releases))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	for i, r := range releases {
		g.Go(func() error {
			h := sha256.New()
			if err := f.fetch(ctx, URL(f.Cluster, r), h); err != nil {
				return err
			}
			digests[i] = "sha256:" + hex.EncodeToString(h.Sum(nil))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return l, err
	}
	for i, r := range releases {
		l.Files[r.Path] = digests[i]
		told(r, digests[i])
	}
	return l, nil
}

// DigestFix is what to do about a release that is not what was locked.
const DigestFix = "compare both digests with what the release's maker publishes; if the mirror is wrong, mend it; if the lock is, run `drover artifacts lock` again"

// DigestError is a release that is not what was locked.
type DigestError struct{ URL, Want, Have string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has digest %s, the lock says %s: it was changed on its way or on the mirror\n  fix: %s", e.URL, e.Have, e.Want, DigestFix)
}

// Small fetches a release that fits in memory (a manifest) and verifies it.
func (f Fetcher) Small(ctx context.Context, r Release, lock Lock) ([]byte, error) {
	var content limited
	if err := f.fetch(ctx, URL(f.Cluster, r), &content); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content.bytes)
	if have := "sha256:" + hex.EncodeToString(sum[:]); have != lock.Files[r.Path] {
		return nil, &DigestError{URL(f.Cluster, r), lock.Files[r.Path], have}
	}
	return content.bytes, nil
}

// limited collects what is written to it, up to 16 MiB.
type limited struct{ bytes []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(l.bytes)+len(p) > 16<<20 {
		return 0, errors.New("larger than 16 MiB")
	}
	l.bytes = append(l.bytes, p...)
	return len(p), nil
}

func (f Fetcher) fetch(ctx context.Context, url string, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch %s: %s", url, resp.Status)
	}
	n, err := io.Copy(to, resp.Body)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", url, err)
	}
	if resp.ContentLength >= 0 && n != resp.ContentLength {
		return fmt.Errorf("fetch %s: %d of %d bytes came", url, n, resp.ContentLength)
	}
	return nil
}
