package ssh

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// EpochDir is where a host keeps the highest epoch of the fleet's lock under which
// anything was changed there, as the name of an empty file.
const EpochDir = "/var/lib/drover/epoch"

// Fence is the fleet's lock as a connection needs it: what changes the host is
// only sent while the lock is held, and only done where no later holder has
// been.
type Fence struct {
	Epoch uint64
	Dir   string // "" is EpochDir
	// Check is nil while the lock is held.
	Check func() error
	// Outrun is told of a host that a later holder has changed.
	Outrun func(error)
	// Bare says that the host is none of ours, and keeps no epoch: a BIG-IP.
	Bare bool
}

// Fence puts everything that Run, WriteFile, WriteFiles and Upload do from now on
// under the fleet's lock. What only looks is not.
func (c *Conn) Fence(f Fence) {
	f.Dir = or(f.Dir, EpochDir)
	c.fence.Store(&f)
}

// guard runs a command if no later holder of the lock has changed anything here.
// Whoever comes with a new epoch leaves it here first, and then ends what earlier
// holders have under way: such a command has its epoch in its environment before it
// looks, so that it either sees the later one or is seen. Until all have ended nothing
// begins under the new epoch, also when who left it was killed. An environment is read
// once for each judgement, and twice in all: that of a program that just begins is
// empty. An epoch is made in one step and never lowered, whatever is killed when. Its
// arguments: directory, epoch, the command.
const guard = `: drover-guard; d=$1 e=$2; shift 2
later() { for f in "$d"/*; do n=${f##*/}; case $n in *[!0-9]*) ;; *) if [ "$n" -gt "$e" ]; then echo "` + outrunWord + `$n" >&2; exit 75; fi ;; esac; done; }
if [ ! -e "$d/$e.alone" ]; then
	[ -d "$d" ] || (umask 022; mkdir -p -- "$d") || exit 74
	[ -e "$d/$e" ] || (umask 077; : >"$d/$e") || exit 74
	later
	for f in "$d"/*; do n=${f##*/} n=${n%.alone}; case $n in *[!0-9]*) ;; *) if [ "$n" -lt "$e" ]; then rm -f -- "$f"; fi ;; esac; done
	old() { grep -aHosE "DROVER_EPOCH=$d/[0-9]+\." /proc/[0-9]*/environ | while IFS=: read -r f v; do v=${v##*/} f=${f#/proc/}; if [ "${v%.}" -lt "$e" ] 2>/dev/null; then echo "${f%%/*}"; fi; done; }
	i=0 p=$(old; old)
	while [ "$p" ]; do
		case $i in
		0) kill -TERM $p 2>/dev/null ;;
		[1-9]) sleep 0.1 ;;
		50) echo "what an earlier run of drover does here does not end, not even by SIGKILL: processes" $p >&2; exit 74 ;;
		*) kill -KILL $p 2>/dev/null; sleep 0.1 ;;
		esac
		i=$((i + 1)) p=$(old; old)
	done
	(umask 077; : >"$d/$e.alone") || exit 74
fi
later
exec "$@"`

// outrunWord begins what the guard says when it refuses.
const outrunWord = "drover-outrun: "

// OutrunError is a host that refused a change, because a later holder of the
// fleet's lock has changed it.
type OutrunError struct {
	Host        string
	Epoch, Seen uint64
}

func (e *OutrunError) Error() string {
	return fmt.Sprintf("%s: refused: a later run (epoch %d) holds the fleet's lock or has held it, and this one's epoch is %d", e.Host, e.Seen, e.Epoch)
}

// change runs a command that changes the host, under the fleet's lock if that was
// taken.
func (c *Conn) change(ctx context.Context, t task) (host.Result, error) {
	f := c.fence.Load()
	if f == nil {
		return c.run(ctx, t)
	}
	if err := f.Check(); err != nil {
		return host.Result{}, fmt.Errorf("%s: %s was not begun: %w", c.hop.Name, t.text, err)
	}
	if f.Bare {
		return c.run(ctx, t)
	}
	t.check = f.Check
	t.Argv = append(f.argv(), t.Argv...)
	res, err := c.run(ctx, t)
	if seen, outrun := strings.CutPrefix(string(res.Stderr), outrunWord); outrun && res.Exit == 75 {
		e := &OutrunError{Host: c.hop.Name, Epoch: f.Epoch}
		e.Seen, _ = strconv.ParseUint(strings.TrimSpace(seen), 10, 64) // 0 is unknown
		f.Outrun(e)
		return res, e
	}
	return res, err
}

func (f *Fence) argv() []string {
	epoch := strconv.FormatUint(f.Epoch, 10)
	return []string{"env", "DROVER_EPOCH=" + f.Dir + "/" + epoch + ".", "sh", "-c", guard, "drover-guard", f.Dir, epoch}
}

// Outrun has the host refuse whoever held the fleet's lock before, and end what they
// have under way there.
func (c *Conn) Outrun(ctx context.Context) error {
	_, err := c.change(ctx, task{Cmd: host.Cmd{Argv: []string{"true"}}, text: "outrun earlier runs"})
	return err
}

// Aside runs a command beside all others: it takes none of their places, and is
// under no lock, because it is what the lock is held with.
func (c *Conn) Aside(ctx context.Context, cmd host.Cmd) (host.Result, error) {
	t := task{Cmd: cmd, text: "the fleet's lock", aside: true}
	return c.exec(ctx, t)
}
