package hosttest

import (
	"path"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// epoch is the fleet's lock that a command is under.
type epoch struct {
	dir string
	n   uint64 // 0: under none
}

// unguarded takes the transport's guard off a command.
func unguarded(argv []string) (epoch, []string) {
	if len(argv) < 9 || argv[0] != "env" || argv[5] != "drover-guard" || argv[1] != "DROVER_EPOCH="+argv[6]+"/"+argv[7]+"." {
		return epoch{}, argv
	}
	n, err := strconv.ParseUint(argv[7], 10, 64)
	if err != nil {
		return epoch{}, argv
	}
	return epoch{argv[6], n}, argv[8:]
}

// admit plays the guard: it refuses what a later holder has outrun, and keeps the
// highest epoch.
func (s *State) admit(e epoch) (_ host.Result, ok bool) {
	if e.n == 0 {
		return host.Result{}, true
	}
	own := path.Join(e.dir, strconv.FormatUint(e.n, 10))
	for _, name := range s.Below(e.dir) {
		n, err := strconv.ParseUint(path.Base(name), 10, 64)
		switch {
		case err != nil:
		case n > e.n:
			return fail(75, "drover-outrun: %d", n), false
		case n < e.n:
			delete(s.Files, name)
		}
	}
	if _, there := s.Files[own]; !there {
		if err := s.Put(own, "", 0o600, "root:root"); err != nil {
			return fail(74, "%v", err), false
		}
	}
	return host.Result{}, true
}

// Epoch is the highest epoch of the fleet's lock that has changed the machine.
func (s *State) Epoch() (top uint64) {
	for _, name := range s.Below("/var/lib/drover/epoch") {
		n, _ := strconv.ParseUint(path.Base(name), 10, 64) // 0 is no epoch
		top = max(top, n)
	}
	return top
}

// OfLock reports whether a file is what the fleet's lock leaves on machines, which
// differs from run to run.
func OfLock(name string) bool {
	for _, dir := range []string{"lock", "epoch", "history"} {
		if dir = "/var/lib/drover/" + dir; name == dir || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}
