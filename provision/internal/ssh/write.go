package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// write replaces a file. Its arguments are the file, mode, owner, size and
// digest ("-": not checked; a secret's digest does not belong in an argv). The
// size is what tells a whole file from one whose connection was cut: both end
// in an end of file on stdin.
const write = `: drover-write; set -eu; umask 077
dst=$1 mode=$2 owner=$3 size=$4 sum=$5
dir=${dst%/*}; dir=${dir:-/}
[ -d "$dir" ] || (umask 022; mkdir -p -- "$dir")
tmp=$(mktemp -- "$dir/.drover.XXXXXXXXXX")
trap 'rm -f -- "$tmp"' EXIT
trap 'exit 74' HUP INT TERM PIPE
cat > "$tmp"
have=$(wc -c < "$tmp")
[ "$have" -eq "$size" ] || { echo "$dst: $have of $size bytes arrived" >&2; exit 74; }
if [ "$sum" != - ]; then
	have=$(sha256sum < "$tmp"); have=${have%% *}
	[ "$have" = "$sum" ] || { echo "$dst: sha256 is $have, not $sum" >&2; exit 65; }
fi
chmod -- "$mode" "$tmp"
chown -- "$owner" "$tmp"
sync -- "$tmp"
mv -fT -- "$tmp" "$dst"
trap - EXIT`

// uploadLimit is only a last resort: a dead host is found by keepalives, and how
// long a slow one may take is the caller's to say.
const uploadLimit = 6 * time.Hour

// WriteFile replaces a file as a whole, atomically, whatever is cut when.
func (c *Conn) WriteFile(ctx context.Context, path string, content []byte, meta host.FileMeta) error {
	return c.WriteFiles(ctx, []host.File{{Path: path, Content: content, FileMeta: meta}})
}

// Source is something large to upload.
type Source struct {
	io.ReaderAt
	Size   int64
	SHA256 string // hex; computed from the content when empty
}

// Upload streams a large file that is not secret. The host verifies its digest
// before the file gets its name; another digest is a *host.ExitError with exit
// code 65.
func (c *Conn) Upload(ctx context.Context, src Source, path string, meta host.FileMeta) error {
	if src.SHA256 == "" {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(src, 0, src.Size)); err != nil {
			return fmt.Errorf("%s: uploading %s: reading it: %w", c.hop.Name, path, err)
		}
		src.SHA256 = hex.EncodeToString(h.Sum(nil))
	}
	return c.write(ctx, path, io.NewSectionReader(src, 0, src.Size), src.Size, src.SHA256, meta, uploadLimit)
}

// UploadFile is Upload of a local file.
func (c *Conn) UploadFile(ctx context.Context, local, sha256, path string, meta host.FileMeta) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("%s: uploading: %w", c.hop.Name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: uploading: %w", c.hop.Name, err)
	}
	return c.Upload(ctx, Source{ReaderAt: f, Size: info.Size(), SHA256: sha256}, path, meta)
}

func (c *Conn) write(ctx context.Context, path string, content io.Reader, size int64, sum string, meta host.FileMeta, limit time.Duration) error {
	if err := checkPath(c.hop.Name, path); err != nil {
		return err
	}
	argv := []string{path, modeArg(meta), ownerArg(meta), strconv.FormatInt(size, 10), sum}
	cmd := host.Cmd{Argv: append([]string{"sh", "-c", write, "drover-write"}, argv...), Stdin: content, Limit: limit}
	_, err := c.run(ctx, task{Cmd: cmd, text: "write " + host.Quote(path)})
	return err
}
