package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// Scope is what to look at.
type Scope struct {
	// Trees are directories looked at with all that is below them.
	Trees []string
	// Digested are directories of which every file is digested, whatever its size.
	Digested []string
	// Paths are single files or directories.
	Paths    []string
	Units    []string
	Sysctls  []string
	Commands []string
	// BIRD is whether to ask Calico's BIRD for its sessions.
	BIRD bool
}

// And is both scopes, each thing once.
func (s Scope) And(o Scope) Scope { return Union(s, o) }

// Union is all of the scopes, each thing once.
func Union(scopes ...Scope) Scope {
	var all Scope
	for _, s := range scopes {
		all.Trees, all.Paths = append(all.Trees, s.Trees...), append(all.Paths, s.Paths...)
		all.Units, all.Sysctls = append(all.Units, s.Units...), append(all.Sysctls, s.Sysctls...)
		all.Commands, all.BIRD = append(all.Commands, s.Commands...), all.BIRD || s.BIRD
		all.Digested = append(all.Digested, s.Digested...)
	}
	for _, list := range []*[]string{&all.Trees, &all.Digested, &all.Paths, &all.Units, &all.Sysctls, &all.Commands} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return all
}

// digestingLimit is how long a look may take that digests binaries: hundreds of
// megabytes, on a disk that others use as well.
const digestingLimit = 10 * time.Minute

// Probe looks at a host.
func Probe(ctx context.Context, h host.Reader, s Scope) (Snapshot, error) {
	snap, _, err := ProbeAfter(ctx, h, s, "")
	return snap, err
}

// ProbeAfter has another script run right before the look, with the same command,
// and returns what that printed. How it ends is told by nothing else.
func ProbeAfter(ctx context.Context, h host.Reader, s Scope, before string) (Snapshot, []byte, error) {
	cmd := host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(s.script(before))}
	if len(s.Digested) > 0 {
		cmd.Limit = digestingLimit
	}
	res, err := h.Probe(ctx, cmd)
	if err != nil {
		return Snapshot{}, nil, err
	}
	if res.Exit != 0 {
		return Snapshot{}, nil, fmt.Errorf("%s: looking at the host: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	out := string(res.Stdout) // copied once: of a thousand hosts each says kilobytes
	snap, err := parse(out)
	if err != nil {
		return Snapshot{}, nil, fmt.Errorf("%s: looking at the host: %w", h.Name(), err)
	}
	snap.Host = h.Name()
	printed, _, _ := strings.Cut(out, "\n"+marker)
	return snap, []byte(printed), nil
}

// Script is the shell script that looks: sections that each begin with a line
// of a marker and a name, ended by one that says it got to its end. Most of what a
// look costs a host is its forks: there are a handful, however much is looked at.
func (s Scope) Script() string { return s.script("") }

func (s Scope) script(before string) string {
	var b strings.Builder
	b.Grow(8 << 10)
	b.WriteString("# drover probe\nexport LC_ALL=C\n")
	if before != "" {
		b.WriteString("(\n" + before + ")\n")
	}
	b.WriteString("echo\n") // an sh may have begun a line
	section := func(name, script string) { fmt.Fprintf(&b, "echo '%s%s'\n%s\n", marker, name, script) }

	// Not by the shell, because some read byte by byte, of which the kernel gives them
	// one.
	values := []string{machineID, hostname, memory, processors}
	for _, key := range s.Sysctls {
		values = append(values, sysctls+strings.ReplaceAll(key, ".", "/"))
	}
	section("values", "head -v -n 1 -- "+strings.Join(quoted(values), " ")+" 2>/dev/null")
	if len(s.Trees)+len(s.Paths) > 0 {
		section("files", s.files())
	}
	if len(s.Digested) > 0 {
		section("digests", s.digests())
	}
	if len(s.Units) > 0 {
		section("units", "systemctl show --property=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,FragmentPath -- "+
			strings.Join(quoted(s.Units), " "))
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

// The files of which a look takes the first line.
const (
	machineID = "/etc/machine-id"
	hostname  = "/proc/sys/kernel/hostname"
	sysctls   = "/proc/sys/"
	// These tell what the machine has in their first lines: without a fork.
	memory     = "/proc/meminfo"
	processors = "/sys/devices/system/cpu/online"
)

// marker begins a section's line. It is long enough not to be met by chance.
const marker = "@@drover@@ "

// files tells three kinds of lines: of each file what it is, behind an equals sign;
// of the small ones the digest, as sha256sum tells it; and of the texts each line,
// behind the file's name and a zero byte. One find sees to all, and no shell is
// started, which might print something of its own. It would descend into a directory
// that was asked for by itself, so those are not given to it. Names with a newline
// are none of drover's.
func (s Scope) files() string {
	const stat = `stat -c '=%f %U:%G %s %s.%Y.%Z.%i %N'`
	var names []string
	for _, n := range textNames() {
		names = append(names, "-name '"+n+"'")
	}
	var b strings.Builder
	b.WriteString("set --\n")
	gather(&b, s.Paths, `[ -d "$p" ] && [ ! -L "$p" ]`)
	fmt.Fprintf(&b, "[ $# -eq 0 ] || %s -- \"$@\"\nset --\n", stat)
	gather(&b, s.Trees, isThere)
	gather(&b, s.Paths, `{ [ -L "$p" ] || { [ -e "$p" ] && [ ! -d "$p" ]; }; }`)
	fmt.Fprintf(&b, `[ $# -eq 0 ] || find "$@" ! -path '*
*' -exec %s {} + -type f -size -%dk -exec sha256sum {} + -size -64k \( %s \) -exec grep -aHZs '' {} +`,
		stat, DigestLimit/1024, strings.Join(names, " -o "))
	return b.String()
}

// digests tells the digest of every file below the directories of which that is
// wanted.
func (s Scope) digests() string {
	var b strings.Builder
	b.WriteString("set --\n")
	gather(&b, s.Digested, isThere)
	b.WriteString(`[ $# -eq 0 ] || find "$@" ! -path '*
*' -type f -exec sha256sum {} +`)
	return b.String()
}

// isThere is a test of a name that may be a link to nothing.
const isThere = `{ [ -e "$p" ] || [ -L "$p" ]; }`

// gather adds to a shell's arguments those paths of which a test is true.
func gather(b *strings.Builder, paths []string, test string) {
	if len(paths) > 0 {
		fmt.Fprintf(b, "for p in %s; do %s && set -- \"$@\" \"$p\"; done\n", strings.Join(quoted(paths), " "), test)
	}
}

// textNames are the patterns of the names of files that are read.
func textNames() []string { return []string{"*.crt", "*.drover", "haproxy.cfg", "drover.json"} }

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = host.Quote(w)
	}
	return out
}

var errCut = errors.New("its answer ended before its end")
