package resource

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/plan"
)

// Packages are what a host needs of its system's packages, known by a program of
// each. They are one thing: apt installs for one caller at a time.
type Packages struct {
	Host     string
	Packages []ospackage.Package
	At       *diag.Range
}

// PackagesID is the ID of a host's packages.
func PackagesID(hostname string) plan.ID { return plan.NewID(hostname, "packages", "os") }

// Item is each package, installed.
func (p Packages) Item() plan.Item {
	want := plan.State{}
	for _, k := range p.Packages {
		want[k.Name] = "installed"
	}
	return plan.Item{ID: PackagesID(p.Host), Want: want, At: p.At}
}

// Scope is the packages' programs.
func (p Packages) Scope() facts.Scope {
	return facts.Scope{Commands: ospackage.Commands(p.Packages)}
}

// Observe tells which are installed.
func (p Packages) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(PackagesID(p.Host))
	if err != nil {
		return nil, err
	}
	have := plan.State{}
	for _, k := range p.Packages {
		have[k.Name] = "missing"
		if snap.Commands[k.Command] {
			have[k.Name] = "installed"
		}
	}
	return have, nil
}

// installLimit is for a slow mirror, and for another apt that is to end first.
const installLimit = 10 * time.Minute

// Apply installs those that are missing. Nothing but them is installed, configured
// anew or started.
func (p Packages) Apply(ctx context.Context, w World, c plan.Change) error {
	h, err := w.Host(p.Host)
	if err != nil {
		return err
	}
	_, err = h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(whole(p.script(c.Before))), Limit: installLimit})
	if err != nil {
		return fmt.Errorf("installing packages: %w", err)
	}
	return nil
}

// script installs what is missing. A package's service is masked for the time that
// takes: it would come up with a configuration nobody wrote, and with it at the next
// boot. The mask is in /run, so a run that is killed leaves none for long.
func (p Packages) script(have plan.State) string {
	var names, services []string
	for _, k := range p.Packages {
		if have[k.Name] == "installed" {
			continue
		}
		names = append(names, k.Name)
		if k.Service != "" {
			services = append(services, k.Service)
		}
	}
	return fmt.Sprintf(`set -e
packages=%s services=%s
command -v apt-get >/dev/null || { echo "there is no apt-get here: install $packages" >&2; exit 1; }
unmask() { for s in $services; do systemctl unmask --quiet --runtime "$s"; done; }
trap unmask EXIT
for s in $services; do systemctl mask --quiet --runtime "$s"; done
install() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install -- $packages </dev/null
}
# The lists of a machine that was made today may be empty, or name what is gone.
install || { apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null; install; }
unmask
trap - EXIT
for s in $services; do systemctl disable --quiet "$s"; done
`, host.Quote(strings.Join(names, " ")), host.Quote(strings.Join(services, " ")))
}
