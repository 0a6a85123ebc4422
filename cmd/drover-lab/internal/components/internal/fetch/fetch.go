package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxSums bounds a file of digests; the largest known is a few kilobytes.
const maxSums = 1 << 20

// stall is how long a transfer may bring nothing before it is given up.
const stall = time.Minute

// Source is where release files are fetched from.
type Source struct {
	// Mirror holds the files under MIRROR/HOST/PATH; empty means HOST itself.
	Mirror string
	Client *http.Client
	// Stall is how long a transfer may bring nothing; zero means a minute.
	Stall time.Duration
}

// File is one release file: Path begins with the host that publishes it.
type File struct {
	Path string
	// Sums is the path of the file in which upstream publishes the digest,
	// empty when it publishes none: then Pinned has to be set.
	Sums string
	// Pinned is the SHA-256 known beforehand, if any.
	Pinned string
}

// DigestError is a file whose content is not what was promised.
type DigestError struct {
	URL, Want, Got string
	By             string // who promised Want
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s: its SHA-256 is %s, but %s says %s: the file was changed or damaged on its way; try again, and if it stays so do not use this source",
		e.URL, e.Got, e.By, e.Want)
}

// Get downloads f to the local file dst, which exists afterwards only if every
// digest matched, and returns the digest.
func (s Source) Get(ctx context.Context, f File, dst string) (string, error) {
	if f.Sums == "" && f.Pinned == "" {
		return "", fmt.Errorf("%s: there is no digest to check it against", f.Path)
	}
	published := ""
	if f.Sums != "" {
		var err error
		if published, err = s.published(ctx, f); err != nil {
			return "", err
		}
	}
	got, err := s.download(ctx, f.Path, dst)
	if err != nil {
		return "", err
	}
	for _, promise := range []struct{ by, want string }{{s.url(f.Sums), published}, {"the digest pinned in drover-lab", f.Pinned}} {
		if promise.want != "" && promise.want != got {
			return "", errors.Join(&DigestError{URL: s.url(f.Path), Want: promise.want, Got: got, By: promise.by}, os.Remove(dst))
		}
	}
	return got, nil
}

func (s Source) url(path string) string {
	if s.Mirror != "" {
		return strings.TrimRight(s.Mirror, "/") + "/" + path
	}
	return "https://" + path
}

// published is the digest of f in upstream's file of digests.
func (s Source) published(ctx context.Context, f File) (string, error) {
	limit := cmp.Or(s.Stall, stall) // a file of a few lines takes no longer
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nothing arrived for %v", limit))
	defer cancel()
	body, _, err := s.open(ctx, f.Sums)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSums))
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.url(f.Sums), err)
	}
	name := filepath.Base(f.Path)
	if digest := findSum(string(text), name); digest != "" {
		return digest, nil
	}
	return "", fmt.Errorf("%s: holds no SHA-256 of %s", s.url(f.Sums), name)
}

// findSum finds the digest of name in what sha256sum writes, or in a file that
// holds nothing but a digest.
func findSum(text, name string) string {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || len(fields) > 2 || !isSum(fields[0]) {
			continue
		}
		if len(fields) == 1 || filepath.Base(strings.TrimPrefix(fields[1], "*")) == name {
			return strings.ToLower(fields[0])
		}
	}
	return ""
}

func isSum(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// download copies a path to dst and returns its digest; nothing is left of a
// transfer that fails.
func (s Source) download(ctx context.Context, path, dst string) (digest string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := cmp.Or(s.Stall, stall)
	watch := time.AfterFunc(limit, func() { cancel(fmt.Errorf("nothing arrived for %v", limit)) })
	defer watch.Stop()
	body, length, err := s.open(ctx, path)
	if err != nil {
		return "", err
	}
	defer body.Close()
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	out, err := os.Create(dst)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(dst))
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum, alive{watch, limit}), body)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: the transfer ended after %s: %w; try again", s.url(path), of(n, length), err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// alive puts a timer off each time something is written to it.
type alive struct {
	timer *time.Timer
	limit time.Duration
}

func (a alive) Write(p []byte) (int, error) {
	a.timer.Reset(a.limit)
	return len(p), nil
}

// of says how much of a transfer arrived; length is negative when unknown.
func of(n, length int64) string {
	if length < 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d of %d bytes", n, length)
}

func (s Source) open(ctx context.Context, path string) (io.ReadCloser, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(path), nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", s.url(path), err)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil && ctx.Err() != nil {
		return nil, 0, fmt.Errorf("%s: %w", s.url(path), context.Cause(ctx))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("download: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, 0, errors.Join(
			fmt.Errorf("%s: the server answers %s", s.url(path), resp.Status), resp.Body.Close())
	}
	return resp.Body, resp.ContentLength, nil
}
