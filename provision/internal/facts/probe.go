package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// Scope is what to look at.
type Scope struct {
	// Trees are directories looked at with all that is below them.
	Trees []string
	// Paths are single files or directories.
	Paths    []string
	Units    []string
	Sysctls  []string
	Commands []string
	// BIRD is whether to ask Calico's BIRD for its sessions.
	BIRD bool
}

// And is both scopes, each thing once.
func (s Scope) And(o Scope) Scope {
	union := func(a, b []string) []string {
		return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
	}
	return Scope{
		Trees: union(s.Trees, o.Trees), Paths: union(s.Paths, o.Paths), Units: union(s.Units, o.Units),
		Sysctls: union(s.Sysctls, o.Sysctls), Commands: union(s.Commands, o.Commands), BIRD: s.BIRD || o.BIRD,
	}
}

// Probe looks at a host.
func Probe(ctx context.Context, h host.Reader, s Scope) (Snapshot, error) {
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(s.Script())})
	if err != nil {
		return Snapshot{}, err
	}
	if res.Exit != 0 {
		return Snapshot{}, fmt.Errorf("%s: looking at the host: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	snap, err := parse(string(res.Stdout))
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s: looking at the host: %w", h.Name(), err)
	}
	snap.Host = h.Name()
	return snap, nil
}

// Script is the shell script that looks: sections that each begin with a line
// of a marker and a name, ended by one that says it got to its end.
func (s Scope) Script() string {
	var b strings.Builder
	b.WriteString("# drover probe\nexport LC_ALL=C\n")
	section := func(name, script string) { fmt.Fprintf(&b, "echo '%s%s'\n%s\n", marker, name, script) }

	section("os", "cat /etc/os-release 2>/dev/null")
	section("machine", `echo "hostname=$(hostname)"
echo "machine-id=$(cat /etc/machine-id 2>/dev/null)"
echo "kernel=$(uname -r)"
echo "cpus=$(nproc)"
while read -r k v _; do [ "$k" = MemTotal: ] && echo "memory-kib=$v"; done </proc/meminfo
echo "clock=$(date +%s)"`)
	if len(s.Trees)+len(s.Paths) > 0 {
		// One stat and one sha256sum for all: a fork a file would cost more than
		// the rest of the probe. -prune keeps find from descending into what was
		// asked for by itself. Names with a newline are none of drover's.
		section("files", s.find(`-exec stat -c '%f %U:%G %s %s.%Y.%Z.%i %N' {} +`))
		section("sha256", s.find(fmt.Sprintf(`-type f -size -%dk -exec sha256sum {} + 2>/dev/null`, DigestLimit/1024)))
		section("texts", s.find(fmt.Sprintf(`-type f \( -name '*.crt' -o -name '*.drover' -o -name haproxy.cfg \) -size -64k -exec sh -c 'for f; do echo "%stext $f"; cat "$f"; echo; done' sh {} +`, marker)))
	}
	if len(s.Units) > 0 {
		section("units", "systemctl show --property=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,FragmentPath -- "+
			strings.Join(quoted(s.Units), " "))
	}
	if len(s.Sysctls) > 0 {
		section("sysctls", fmt.Sprintf(`for k in %s; do f=/proc/sys/$(echo "$k" | tr . /); [ -r "$f" ] && echo "$k=$(cat "$f")"; done`,
			strings.Join(quoted(s.Sysctls), " ")))
	}
	if len(s.Commands) > 0 {
		section("commands", fmt.Sprintf(`PATH=$PATH:/usr/sbin:/sbin; for c in %s; do command -v "$c" >/dev/null 2>&1 && echo "$c"; done`,
			strings.Join(quoted(s.Commands), " ")))
	}
	if s.BIRD {
		section("bird", askBIRD+`bird 2>&1 || echo "exit code $?"`)
	}
	section("end", "exit 0")
	return b.String()
}

// marker begins a section's line. It is long enough not to be met by chance.
const marker = "@@drover@@ "

// find runs an expression of find's over the trees, and over the paths without
// what is below them.
func (s Scope) find(expression string) string {
	var b strings.Builder
	for _, from := range []struct {
		paths []string
		prune string
	}{{s.Trees, ""}, {s.Paths, "-prune"}} {
		if len(from.paths) == 0 {
			continue
		}
		fmt.Fprintf(&b, `set --
for p in %s; do { [ -e "$p" ] || [ -L "$p" ]; } && set -- "$@" "$p"; done
[ $# -gt 0 ] && find "$@" %s ! -path '*
*' %s
`, strings.Join(quoted(from.paths), " "), from.prune, expression)
	}
	return b.String()
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = host.Quote(w)
	}
	return out
}

var errCut = errors.New("its answer ended before its end")
