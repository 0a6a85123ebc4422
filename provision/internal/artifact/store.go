package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/droverctl/drover/provision/host"
)

// uplink is how many hosts are sent releases at once: they share what leads from
// here to all of them, and more of them would only all be late.
const uplink = 8

// Store holds the releases that a run sends to hosts. Each is fetched once, when
// the first host wants it, and verified before any host gets it.
type Store struct {
	fetcher Fetcher
	places  chan struct{}

	mu    sync.Mutex
	files map[string]*stored       // by URL and digest
	turns map[string]chan struct{} // one place a host
}

// stored is a release that is here, or on its way.
type stored struct {
	done chan struct{} // closed when the rest is final
	file *os.File
	size int64
	err  error
}

// NewStore makes an empty store.
func NewStore(f Fetcher) *Store {
	return &Store{fetcher: f, places: make(chan struct{}, uplink), files: map[string]*stored{}, turns: map[string]chan struct{}{}}
}

// Send puts a release into a file on a host, which verifies it there. digest is
// "sha256:" and 64 digits.
func (s *Store) Send(ctx context.Context, h host.Writer, url, digest, path string) error {
	f, err := s.get(ctx, url, digest)
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name(), err)
	}
	// First a host's own turn, so that one that wants many holds one place.
	for _, place := range []chan struct{}{s.turn(h.Name()), s.places} {
		select {
		case place <- struct{}{}:
			defer func() { <-place }()
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting to send %s: %w", h.Name(), url, context.Cause(ctx))
		}
	}
	content := host.Content{ReaderAt: f.file, Size: f.size, SHA256: strings.TrimPrefix(digest, "sha256:")}
	return h.Upload(ctx, path, content, host.FileMeta{Mode: 0o600})
}

func (s *Store) turn(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns[name] == nil {
		s.turns[name] = make(chan struct{}, 1)
	}
	return s.turns[name]
}

// get is a release, fetched by whoever comes first; its failure is everybody's.
func (s *Store) get(ctx context.Context, url, digest string) (*stored, error) {
	s.mu.Lock()
	key := url + " " + digest
	f, there := s.files[key]
	if !there {
		f = &stored{done: make(chan struct{})}
		s.files[key] = f
	}
	s.mu.Unlock()
	if !there {
		for try := 1; ; try++ { // as hosts do that fetch by themselves
			f.file, f.size, f.err = s.fetcher.keep(ctx, url, digest)
			if f.err == nil || try == 3 || ctx.Err() != nil || errors.As(f.err, new(*DigestError)) {
				break
			}
		}
		close(f.done)
	}
	select {
	case <-f.done:
		return f, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for %s: %w", url, context.Cause(ctx))
	}
}

// Close gives the disk space back.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.files {
		if <-f.done; f.file != nil {
			errs = append(errs, f.file.Close())
		}
	}
	clear(s.files)
	return errors.Join(errs...)
}

// keep fetches a release into a file without a name, of which nothing is left
// however this process ends. It is not put into /tmp, which is often memory.
func (f Fetcher) keep(ctx context.Context, url, digest string) (_ *os.File, size int64, err error) {
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp"
	}
	file, err := os.CreateTemp(dir, "drover-release-")
	if err != nil {
		return nil, 0, fmt.Errorf("keeping %s: %w", url, err)
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, 0, fmt.Errorf("keeping %s: %w", url, err)
	}
	h := sha256.New()
	if err := f.fetch(ctx, url, io.MultiWriter(file, h)); err != nil {
		return nil, 0, err
	}
	if have := "sha256:" + hex.EncodeToString(h.Sum(nil)); have != digest {
		return nil, 0, &DigestError{url, digest, have}
	}
	size, err = file.Seek(0, io.SeekCurrent)
	return file, size, err
}
