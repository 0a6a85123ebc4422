package ssh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// stagedWord begins the line on which a host names the directory: a shell may have
// printed others before it.
const stagedWord = "drover-staged: "

// stage makes a directory beside a file, private to the user that is to send the
// file's content there, and removes it when stdin ends: at our word, or because
// the connection was cut. What a host that lost its power kept of an earlier one
// is swept first. Nobody but root can put another directory in its place, as the
// parent is root's.
const stage = `: drover-stage; set -eu; umask 077
dst=$1 user=$2
dir=${dst%/*}; dir=${dir:-/}
old=$dir/.drover-stage.${dst##*/}
[ -d "$dir" ] || (umask 022; mkdir -p -- "$dir")
rm -rf -- "$old".*
stage=$(mktemp -d -- "$old.XXXXXXXXXX")
trap 'rm -rf -- "$stage"' EXIT
trap 'exit 74' HUP INT TERM PIPE
chown -- "$user" "$stage"
echo "` + stagedWord + `$stage"
cat > /dev/null`

// place gives what was sent its name. The user may still hold the sent file open,
// so root copies it and judges the copy; and has taken the directory first, so
// that no name in it changes any more. What the user may have put there besides
// is never written to: mktemp makes the copy anew.
const place = `: drover-place; set -eu; umask 077
stage=$1 dst=$2 mode=$3 owner=$4 size=$5 sum=$6
chown -- "$(id -u)" "$stage"
sent=$stage/sent
if [ ! -f "$sent" ] || [ -L "$sent" ]; then echo "$dst: $sent is not the file that was sent" >&2; exit 65; fi
copy=$(mktemp -- "$stage/copy.XXXXXXXXXX")
head -c "$((size + 1))" < "$sent" > "$copy"
have=$(wc -c < "$copy")
[ "$have" -eq "$size" ] || { echo "$dst: $have of $size bytes arrived" >&2; exit 65; }
have=$(sha256sum < "$copy"); have=${have%% *}
[ "$have" = "$sum" ] || { echo "$dst: sha256 is $have, not $sum" >&2; exit 65; }
chmod -- "$mode" "$copy"
chown -- "$owner" "$copy"
sync -- "$copy"
mv -fT -- "$copy" "$dst"`

const (
	// keepLimit is only a last resort: the directory goes with the upload, and that
	// ends by itself when nothing moves.
	keepLimit = 24 * time.Hour
	// placeLimit bounds the host's own copying and digesting.
	placeLimit = 10 * time.Minute
)

// Upload sends a file over SFTP into a directory of its own, from which root puts
// it into place: SFTP works as the user, who is not root. A connection sends one
// file at a time; more would only share its bandwidth, and sshd counts sessions.
func (c *Conn) Upload(ctx context.Context, path string, content host.Content, meta host.FileMeta) error {
	if err := c.named(path); err != nil {
		return err
	}
	select {
	case c.uploads <- struct{}{}:
		defer func() { <-c.uploads }()
	case <-ctx.Done():
		return c.unreachable("waiting to upload "+path, context.Cause(ctx))
	}
	return c.staged(ctx, path, func(dir string) error {
		if err := c.send(ctx, "uploading "+path+" by way of "+dir, dir+"/sent", content); err != nil {
			return err
		}
		argv := append([]string{"sh", "-c", place, "drover-place", dir, path}, attributes(meta, content.Size)...)
		cmd := host.Cmd{Argv: append(argv, content.SHA256), Limit: placeLimit}
		_, err := c.change(ctx, task{Cmd: cmd, text: "put " + host.Quote(path) + " into place"})
		return err
	})
}

// staged does something with a directory that the user may write to, and that is
// gone afterwards whatever happens.
func (c *Conn) staged(ctx context.Context, path string, use func(dir string) error) error {
	made, over, ended := make(chan string, 1), make(chan struct{}), make(chan error, 1)
	keeper := task{
		Cmd:  host.Cmd{Argv: []string{"sh", "-c", stage, "drover-stage", path, c.hop.User}, Limit: keepLimit},
		text: "stage " + host.Quote(path), hold: over, lead: stagedWord, line: func(dir string) { made <- dir },
	}
	kept, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(defaultLimit, func() { cancel(fmt.Errorf("no directory within %s", defaultLimit)) })
	defer late.Stop()
	go func() {
		_, err := c.change(kept, keeper)
		ended <- err
	}()
	var err error
	select {
	case dir := <-made:
		late.Stop()
		err = use(dir)
	case err = <-ended:
		if err == nil {
			err = fmt.Errorf("%s: %s: it ended and named no directory", c.hop.Name, keeper.text)
		}
		return err
	}
	close(over)
	stuck := time.AfterFunc(defaultLimit, func() { cancel(fmt.Errorf("its directory is not removed within %s", defaultLimit)) })
	defer stuck.Stop()
	end := <-ended
	var failed *host.ExitError
	if err == nil || errors.As(end, &failed) { // else both were cut by the same
		err = errors.Join(err, end)
	}
	return err
}
