package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/intake"
	"github.com/droverctl/drover/provision/internal/puppetdb"
)

// importLimit bounds an import: PuppetDB tells of a thousand hosts in a second or two.
const importLimit = 2 * time.Minute

// Import is what PuppetDB's hosts make of the rows of an inventory.
type Import = intake.Result

// ImportChange is what becomes of a row, ImportNote what is to be known of a host.
type (
	ImportChange = intake.Change
	ImportNote   = intake.Note
)

// What becomes of a row.
const (
	ImportAdd    = intake.Add
	ImportUpdate = intake.Update
	ImportDrop   = intake.Drop
)

// ImportSettled reports whether a note asks nothing of anybody.
func ImportSettled(n ImportNote) bool {
	return n.Kind == intake.ByHand || n.Kind == intake.Ignored || n.Kind == intake.OtherRole && n.Host == ""
}

// ImportPuppetDB asks PuppetDB for a cluster's hosts and makes rows of them. byHand is
// the inventory without the rows made before, which are made. It only reads.
func ImportPuppetDB(ctx context.Context, settings inventory.PuppetDB, byHand *inventory.Cluster, made []inventory.Host) (Import, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, importLimit, fmt.Errorf("no end within %s: %w", importLimit, context.DeadlineExceeded))
	defer cancel()
	c, err := openPuppetDB(ctx, settings, time.Now)
	if err != nil {
		return Import{}, err
	}
	defer c.Close()
	paths := []string{settings.Address, "facts.networking"}
	if settings.FailureDomain != "" {
		paths = append(paths, settings.FailureDomain)
	}
	var others []string
	for _, h := range made {
		others = append(others, h.Certname)
	}
	in := intake.Inputs{Settings: settings, ByHand: byHand, Made: made}
	if in.Nodes, in.Statuses, in.Now, err = c.Hosts(ctx, settings.Cluster, paths, others); err != nil {
		return Import{}, err
	}
	if len(in.Nodes) == 0 {
		return Import{}, fmt.Errorf("%w of cluster %q (pp_cluster in their certificates): nothing is changed; a new PuppetDB knows its hosts when their agents have run", ErrNoHosts, settings.Cluster)
	}
	out, problems := intake.Take(in)
	return out, problems.Err()
}

// ErrNoHosts says that PuppetDB has no host of a cluster.
var ErrNoHosts = errors.New("PuppetDB knows no host")

// openPuppetDB is the way to an inventory's PuppetDB.
func openPuppetDB(ctx context.Context, settings inventory.PuppetDB, now func() time.Time) (*puppetdb.Client, error) {
	a, err := puppetdb.Access{URL: settings.URL, Cert: settings.Cert, Key: settings.Key, CA: settings.CA}.WithAgent(ctx)
	if err != nil {
		return nil, err
	}
	return puppetdb.Open(a, now)
}
