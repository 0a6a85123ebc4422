package ssh

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/droverctl/drover/provision/host"
)

// writeFiles replaces several files. Its arguments are how many, and then of each
// the file, mode, owner and size; the contents come one after the other. A size
// that is not reached is a connection that was cut: nothing is renamed then.
const writeFiles = `: drover-write-files; set -euf; umask 077
count=$1; shift
tmps= n=0 IFS='
'
trap 'rm -f -- $tmps' EXIT
trap 'exit 74' HUP INT TERM PIPE
while [ "$n" -lt "$count" ]; do
	n=$((n+1))
	dst=$1 mode=$2 owner=$3 size=$4
	shift 4
	dir=${dst%/*}; dir=${dir:-/}
	[ -d "$dir" ] || (umask 022; mkdir -p -- "$dir")
	tmp=$dir/.drover.${dst##*/}
	set +f # what a host left that lost power; whoever still writes there cannot rename it then
	for old in "$tmp".??????????; do [ ! -e "$old" ] || rm -f -- "$old"; done
	set -f
	tmp=$(mktemp -- "$tmp.XXXXXXXXXX")
	tmps=$tmps$tmp$IFS
	head -c "$size" > "$tmp"
	have=$(wc -c < "$tmp")
	[ "$have" -eq "$size" ] || { echo "$dst: $have of $size bytes arrived" >&2; exit 74; }
	chmod -- "$mode" "$tmp"
	chown -- "$owner" "$tmp"
	set -- "$@" "$tmp" "$dst"
done
have=$(wc -c)
[ "$have" -eq 0 ] || { echo "$dst: $have bytes too many arrived" >&2; exit 74; }
sync -- $tmps
while [ "$#" -gt 0 ]; do
	mv -fT -- "$1" "$2"
	shift 2
done
trap - EXIT`

// WriteFiles replaces several files with one command.
func (c *Conn) WriteFiles(ctx context.Context, files []host.File) error {
	if len(files) == 0 {
		return nil
	}
	argv := []string{"sh", "-c", writeFiles, "drover-write-files", strconv.Itoa(len(files))}
	contents := make([]io.Reader, 0, len(files))
	for _, f := range files {
		if err := c.named(f.Path); err != nil {
			return err
		}
		argv = append(append(argv, f.Path), attributes(f.FileMeta, int64(len(f.Content)))...)
		contents = append(contents, bytes.NewReader(f.Content))
	}
	text := "write " + host.Quote(files[0].Path)
	if more := len(files) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	_, err := c.change(ctx, task{Cmd: host.Cmd{Argv: argv, Stdin: io.MultiReader(contents...)}, text: text})
	return err
}

// WriteFile replaces a file as a whole, atomically, whatever is cut when.
func (c *Conn) WriteFile(ctx context.Context, path string, content []byte, meta host.FileMeta) error {
	return c.WriteFiles(ctx, []host.File{{Path: path, Content: content, FileMeta: meta}})
}

// named refuses what cannot be a file's name.
func (c *Conn) named(path string) error {
	if path == "" || path[0] != '/' || path[len(path)-1] == '/' {
		return fmt.Errorf("%s: writing %q: not an absolute name of a file", c.hop.Name, path)
	}
	return nil
}

// attributes are mode, owner and size, as the scripts take them.
func attributes(meta host.FileMeta, size int64) []string {
	return []string{fmt.Sprintf("%04o", meta.Mode.Perm()), or(meta.Owner, "root:root"), strconv.FormatInt(size, 10)}
}
