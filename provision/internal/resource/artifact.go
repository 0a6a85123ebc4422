package resource

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/plan"
)

// OptDir holds drover's binaries: COMPONENT/VERSION/…, and COMPONENT/current, a
// link to the version in use. An upgrade and its way back are that link.
const OptDir = "/opt/drover"

// Artifact is one release file of a component, installed on a host. The host
// fetches it from URL or is sent it, and verifies its digest itself before it is
// unpacked.
type Artifact struct {
	Host      string
	Component string
	Version   string
	URL       string
	SHA256    string // "sha256:" and 64 hexadecimal digits
	// Strip is how many leading path elements of an archive's names are dropped.
	// A file that is not an archive (.tgz, .tar.gz) is installed as Component.
	Strip int
	// Push says that the host does not fetch it but is sent it. It is no part of
	// what is wanted: an artifact is the same either way.
	Push bool
	// Verify says that its files are digested to tell whether they are intact. It is no
	// part of what is wanted either.
	Verify bool
	Needs  []plan.ID
	At     *diag.Range
}

// ArtifactID is the ID of a component on a host.
func ArtifactID(hostname, component string) plan.ID {
	return plan.NewID(hostname, "artifact", component)
}

// Item is the version in use and its digest, with its files as they were
// unpacked.
func (a Artifact) Item() plan.Item {
	return plan.Item{ID: ArtifactID(a.Host, a.Component), Needs: a.Needs, At: a.At, Want: plan.State{
		"version": a.Version, "digest": a.SHA256, "files": "intact",
	}}
}

func (a Artifact) dir() string { return under(OptDir, a.Component) }

// Scope is the component's directory.
func (a Artifact) Scope() facts.Scope {
	s := facts.Scope{Trees: []string{a.dir()}}
	if a.Verify {
		s.Digested = s.Trees
	}
	return s
}

// Observe tells the version in use and whether its files are still those that
// were verified: by size, times and inode against the record made then, because
// digesting 600 MB each time would cost a hundred times the rest. That is done only
// to verify them: a disk that rots, or somebody who puts times back, changes no stamp.
func (a Artifact) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(ArtifactID(a.Host, a.Component))
	if err != nil {
		return nil, err
	}
	current, ok := snap.Files[under(a.dir(), "current")]
	if !ok {
		return nil, nil
	}
	s := plan.State{"version": current.Link}
	record := snap.Texts[under(a.dir(), current.Link, "record.drover")]
	archive, rest, _ := strings.Cut(record, "\n")
	if archive == "" {
		s["files"] = "of unknown origin"
		return s, nil
	}
	s["digest"], s["files"] = archive, "intact"
	for line := range strings.Lines(rest) {
		was, ok := parseRecorded(line)
		if !ok {
			continue
		}
		have, there := snap.Files[under(a.dir(), current.Link, was.name)]
		switch {
		case !there, have.Stamp != was.stamp, a.Verify && was.digest != "" && have.SHA256 != was.digest:
			s["files"] = "changed: " + path.Clean(was.name)
			return s, nil
		case a.Verify && was.digest == "":
			s["files"] = "not to be verified: no digests were recorded when they were installed"
		}
	}
	return s, nil
}

// recorded is a file as it was when it was installed: a line of the record.
type recorded struct {
	stamp  string
	digest string // empty in a record of before digests were kept
	name   string // begins with ./
}

func parseRecorded(line string) (recorded, bool) {
	stamp, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if !ok {
		return recorded{}, false
	}
	digest, name, ok := strings.Cut(rest, " ")
	if !ok || strings.HasPrefix(rest, "./") {
		return recorded{stamp: stamp, name: rest}, true
	}
	return recorded{stamp, "sha256:" + digest, strings.TrimLeft(name, " *")}, true
}

// Apply has the host fetch (or be sent), verify, unpack and switch to the artifact.
func (a Artifact) Apply(ctx context.Context, w World, _ plan.Change) error {
	h, err := w.Host(a.Host)
	if err != nil {
		return err
	}
	if w.Peers == nil {
		_, err = a.install(ctx, w, h, fanout.Way{})
		return err
	}
	return w.Peers.Get(ctx, h, a.Sum(), func(ctx context.Context, way fanout.Way) (host.Result, error) {
		return a.install(ctx, w, h, way)
	})
}

// install has the host come by the artifact in that way. What comes from another host
// is verified as what comes from anywhere else.
func (a Artifact) install(ctx context.Context, w World, h host.Writer, way fanout.Way) (host.Result, error) {
	if a.Push && way.URL == "" {
		if err := w.Releases.Send(ctx, h, a.URL, a.SHA256, a.sent()); err != nil {
			return host.Result{}, err
		}
	}
	return h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(whole(a.script(way))), Limit: 10 * time.Minute})
}

// Sum is the digest without its kind.
func (a Artifact) Sum() string { return strings.TrimPrefix(a.SHA256, "sha256:") }

// get is the part of the script that comes by the file.
func (a Artifact) get(way fanout.Way) string {
	switch {
	case way.URL != "":
		// A host that is slow to death is left for another; a disk that is full here
		// is no fault of its own.
		// What an earlier run has sent it and no more is of no use now.
		return fmt.Sprintf(`rm -f ../.sent
command -v curl >/dev/null || { echo "there is no curl here" >&2; exit 127; }
curl --fail --silent --show-error --noproxy '*' --connect-timeout 5 --speed-limit 10000 --speed-time 30 --output .download %s || {
  code=$?
  [ "$code" -ne 23 ] || exit 23
  echo "%s: no copy comes from "%s >&2
  exit %d
}`, host.Quote(way.URL), a.URL, host.Quote(way.From), fanout.ExitNoCopy)
	case a.Push:
		return "mv -T ../.sent .download"
	}
	return "curl --fail --silent --show-error --location --connect-timeout 10 --retry 3 --output .download " + host.Quote(a.URL)
}

// refused is the part of the script that tells of a file that is another.
func (a Artifact) refused(way fanout.Way) string {
	if way.URL != "" {
		return fmt.Sprintf(`  echo "the copy of %s that %s hands on has digest sha256:$sum, wanted sha256:%s: look at its kernel's log, its disk or memory may be failing" >&2
  exit %d`, a.URL, way.From, a.Sum(), fanout.ExitCorrupt)
	}
	return fmt.Sprintf(`  echo "%s has digest sha256:$sum, wanted sha256:%s" >&2
  echo "  fix: "%s >&2
  exit 1`, a.URL, a.Sum(), host.Quote(artifact.DigestFix))
}

// sent is where the host is sent the artifact. One that a cut left here is
// replaced by the next.
func (a Artifact) sent() string { return under(a.dir(), ".sent") }

// script installs the artifact beside the version in use and switches at the
// end, so a host that loses power on the way still has what it had. What takes the
// place of another version is flushed to disk first. Else nothing is: a file that
// power loss cut short has not the size of its record, and is installed again.
func (a Artifact) script(way fanout.Way) string {
	// A line for each command: set -e does not see the failure of one before a &&.
	unpack := fmt.Sprintf("mv .download %[1]s\nchmod 0755 %[1]s", host.Quote(a.Component))
	keep, copied := "", host.Quote(way.Copies+"/"+a.Sum())
	if way.Copies != "" { // a program is its own copy
		unpack = fmt.Sprintf("mkdir -p %s\n%s", host.Quote(way.Copies), unpack)
		keep = fmt.Sprintf("ln -sfn %s %s\n%s", host.Quote(under(a.dir(), a.Version, a.Component)), copied, way.Serve)
	}
	sums := fmt.Sprintf(`echo "$sum  ./"%s >../.sums`, host.Quote(a.Component)) // it is what was verified
	if strings.HasSuffix(a.URL, ".tgz") || strings.HasSuffix(a.URL, ".tar.gz") {
		unpack = fmt.Sprintf("tar -xzf .download --no-same-owner --strip-components=%d\nrm .download", a.Strip)
		if way.Copies != "" {
			unpack = fmt.Sprintf("tar -xzf .download --no-same-owner --strip-components=%d\nchmod 0644 .download\nmkdir -p %s\nmv .download %s",
				a.Strip, host.Quote(way.Copies), copied)
			keep = way.Serve
		}
		// No shell of its own: one that prints something when it starts would do so into the record.
		sums = `find . -type f -exec openssl dgst -sha256 -r {} + >../.sums 2>/dev/null || find . -type f -exec sha256sum {} + >../.sums`
	}
	return fmt.Sprintf(`# drover artifact
set -eu
umask 022
digest() { # openssl takes a quarter of the time, where there is one
  { openssl dgst -sha256 -r "$1" 2>/dev/null || sha256sum "$1"; } | cut -d' ' -f1
}
failed() { # what is left of a failure takes room, for want of which it may have failed
  code=$?
  [ "$code" -ne 0 ] || return 0
  free=$(df -k --output=avail . | tail -n 1)
  [ "${free:-1024}" -ge 1024 ] || echo "$PWD: No space left on device" >&2
  rm -rf %[1]s/.partial %[1]s/.stamps %[1]s/.sums %[1]s/.record
  exit "$code"
}
%[9]smkdir -p %[1]s
cd %[1]s
trap failed EXIT
rm -rf .partial
mkdir .partial
cd .partial
%[2]s
sum=$(digest .download)
if [ "$sum" != %[3]s ]; then
%[4]s
fi
%[5]s
find . -type f -exec stat -c '%%s.%%Y.%%Z.%%i' {} + >../.stamps
%[8]s
{ echo sha256:$sum; paste -d ' ' ../.stamps ../.sums; } >../.record
rm ../.stamps ../.sums
mv ../.record record.drover
cd ..
rm -rf %[6]s
mv .partial %[6]s
[ ! -e current ] || sync -f .
ln -sfn %[6]s .current
mv -fT .current current
%[7]s
`, host.Quote(a.dir()), a.get(way), host.Quote(a.Sum()), a.refused(way), unpack, host.Quote(a.Version), keep, sums, way.Begin)
}
