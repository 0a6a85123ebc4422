package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// Filter copies the tar archive src to dst without the entries that drop
// names, and with the one modification time. The names it asks about are clean
// and have no leading "./".
func Filter(dst, src string, drop func(name string) bool) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer in.Close()
	out, err := os.Create(dst)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()

	tr, tw := tar.NewReader(in), tar.NewWriter(out)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", src, err)
		}
		if drop(path.Clean(h.Name)) {
			continue
		}
		h.ModTime = epoch()
		// Access and change times would need PAX and say when it was built.
		h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
		if err := copyEntry(tw, h, tr); err != nil {
			return fmt.Errorf("archive %s: %s: %w", src, h.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("archive %s: %w", dst, err)
	}
	return nil
}

func copyEntry(tw *tar.Writer, h *tar.Header, r io.Reader) error {
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}
