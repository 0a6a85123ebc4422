package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/droverctl/drover/provision/host"
)

// piece is how much of a snapshot is read with one command.
const piece = 8 << 20

// Copy brings a snapshot from its master to a file here, which only its owner can
// read. It gets its name when all of it has come and is what was verified there; a
// file that has that name is replaced then, and not before.
func Copy(ctx context.Context, master host.Reader, t Taken, to string) (err error) {
	out, err := os.CreateTemp(filepath.Dir(to), ".drover-snapshot-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	sum := sha256.New()
	for at := int64(0); at < t.Size; {
		part, err := readPiece(ctx, master, t.Path, at)
		if err != nil {
			return err
		}
		if len(part) == 0 || at+int64(len(part)) > t.Size {
			return fmt.Errorf("%s: %s is not the %d bytes any more that were verified", t.Host, t.Path, t.Size)
		}
		sum.Write(part)
		if _, err := out.Write(part); err != nil {
			return err
		}
		at += int64(len(part))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != t.SHA256 {
		return fmt.Errorf("%s: what came of %s has the digest %s, not %s", t.Host, t.Path, got, t.SHA256)
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

// readPiece reads a piece of a file.
func readPiece(ctx context.Context, master host.Reader, path string, at int64) ([]byte, error) {
	res, err := master.Probe(ctx, host.Cmd{Argv: []string{
		"sh", "-c", `: drover-etcd-snapshot-read
tail -c "+$2" -- "$1" | head -c "$3"`, "drover-etcd-snapshot-read", path, strconv.FormatInt(at+1, 10), strconv.Itoa(piece),
	}})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("%s: reading %s: exit code %d: %s", master.Name(), path, res.Exit, res.Stderr)
	}
	return res.Stdout, err
}
