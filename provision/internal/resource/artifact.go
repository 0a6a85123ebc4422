package resource

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
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
	Push  bool
	Needs []plan.ID
	At    *diag.Range
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
func (a Artifact) Scope() facts.Scope { return facts.Scope{Trees: []string{a.dir()}} }

// Observe tells the version in use and whether its files are still those that
// were verified: by size, times and inode against the record made then, because
// digesting 600 MB each time would cost a hundred times the rest.
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
		stamp, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if have, there := snap.Files[under(a.dir(), current.Link, name)]; !there || have.Stamp != stamp {
			s["files"] = "changed: " + path.Clean(name)
			return s, nil
		}
	}
	return s, nil
}

// Apply has the host fetch (or be sent), verify, unpack and switch to the artifact.
func (a Artifact) Apply(ctx context.Context, w World, _ plan.Change) error {
	h, err := w.Host(a.Host)
	if err != nil {
		return err
	}
	if a.Push {
		if err := w.Releases.Send(ctx, h, a.URL, a.SHA256, a.sent()); err != nil {
			return err
		}
	}
	_, err = h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(whole(a.script())), Limit: 10 * time.Minute})
	return err
}

// sent is where the host is sent the artifact. One that a cut left here is
// replaced by the next.
func (a Artifact) sent() string { return under(a.dir(), ".sent") }

// script installs the artifact beside the version in use and switches at the
// end, so a host that loses power on the way still has what it had. What takes the
// place of another version is flushed to disk first. Else nothing is: a file that
// power loss cut short has not the size of its record, and is installed again.
func (a Artifact) script() string {
	unpack := fmt.Sprintf(`mv .download %[1]s && chmod 0755 %[1]s`, host.Quote(a.Component))
	if strings.HasSuffix(a.URL, ".tgz") || strings.HasSuffix(a.URL, ".tar.gz") {
		unpack = fmt.Sprintf("tar -xzf .download --no-same-owner --strip-components=%d && rm .download", a.Strip)
	}
	get := "curl --fail --silent --show-error --location --connect-timeout 10 --retry 3 --output .download " + host.Quote(a.URL)
	if a.Push {
		get = "mv -T ../.sent .download"
	}
	return fmt.Sprintf(`# drover artifact
set -eu
umask 022
digest() { # openssl takes a quarter of the time, where there is one
  { openssl dgst -sha256 -r "$1" 2>/dev/null || sha256sum "$1"; } | cut -d' ' -f1
}
mkdir -p %[1]s
cd %[1]s
rm -rf .partial && mkdir .partial && cd .partial
%[2]s
sum=$(digest .download)
if [ "$sum" != %[3]s ]; then
  echo "%[4]s has digest sha256:$sum, wanted sha256:"%[3]s >&2
  rm -rf "$PWD"
  exit 1
fi
%[5]s
{ echo sha256:$sum; find . -type f -exec stat -c '%%s.%%Y.%%Z.%%i %%n' {} +; } > ../.record
mv ../.record record.drover
cd ..
rm -rf %[6]s && mv .partial %[6]s
[ ! -e current ] || sync -f .
ln -sfn %[6]s .current && mv -fT .current current
`, host.Quote(a.dir()), get, host.Quote(strings.TrimPrefix(a.SHA256, "sha256:")), a.URL, unpack, host.Quote(a.Version))
}
