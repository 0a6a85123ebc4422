package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/plan"
)

// savePlan writes a plan into a file that only its owner reads: it holds no
// secret, but it tells what is not as it should be, and where.
func savePlan(path string, p plan.Plan) error {
	// A rename would put the file in the place of a link or a device, as /dev/stdout is.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("the plan is not saved: %s is there and is no regular file: give another name to --out", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the plan is not saved: %w", err)
	}
	text, err := p.Encode()
	if err != nil {
		return fmt.Errorf("the plan is not saved: %w", err)
	}
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o600))
	if err != nil {
		return fmt.Errorf("the plan is not saved to %s: %w", path, err)
	}
	defer f.Cleanup() //nolint:errcheck // nothing is left of it after a rename
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("the plan is not saved to %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("the plan is not saved to %s: %w", path, err)
	}
	return nil
}

// approval is a saved plan that apply was given: what it says may be done
// without asking, and nothing else. nil is none.
type approval struct {
	path string
	plan plan.Plan
}

// readApproval reads the plan named in apply's arguments, if one is.
func readApproval(args []string) (*approval, error) {
	if len(args) == 0 {
		return nil, nil
	}
	ap := &approval{path: args[0]}
	content, err := os.ReadFile(ap.path)
	if err != nil {
		return nil, fmt.Errorf("the saved plan cannot be read: %w", err)
	}
	if ap.plan, err = plan.Decode(content); err != nil {
		// Not to be made anew under that name: it may be anything.
		return nil, fmt.Errorf("%s is no plan to apply: %w\n`drover plan --out FILE` saves one", ap.path, err)
	}
	return ap, nil
}

// of refuses the plan of another cluster, before any host is spoken to.
func (ap *approval) of(c *inventory.Cluster) error {
	if ap == nil || ap.plan.Cluster == c.Name {
		return nil
	}
	return fmt.Errorf("%s is a plan of the cluster %q, and the inventory is of %q, so nothing was touched: give the inventory it was made from with -i", ap.path, ap.plan.Cluster, c.Name)
}

// mostTold is how many differences are told one by one.
const mostTold = 20

// covers refuses a plan that is not the approved one, with what differs.
func (ap *approval) covers(p plan.Plan) error {
	if ap == nil {
		return nil
	}
	drift, err := plan.Drift(ap.plan, p)
	if err != nil || len(drift) == 0 {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not what there is to do now, so nothing was touched:\n", ap.path)
	for _, line := range drift[:min(len(drift), mostTold)] {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if more := len(drift) - mostTold; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	fmt.Fprintf(&b, "make it anew with `drover plan --out %s`, look at it, and apply that", ap.path)
	return errors.New(b.String())
}
