package provision

import (
	"context"
	"errors"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/snapshot"
)

// Snapshot is a snapshot of etcd that was taken and verified.
type Snapshot struct {
	SchemaVersion int `json:"schema_version"`
	snapshot.Taken
	Copy string `json:"copy,omitempty"` // the file here that it was copied to
	// Away are masters that could not be reached, and why.
	Away map[string]error `json:"-"`
}

// TakeSnapshot has a master take a snapshot of etcd, and copies it to a file here when
// one is given. It takes the fleet's lock: a master keeps what is taken.
func TakeSnapshot(ctx context.Context, c *inventory.Cluster, o Options, r LockRequest, to string) (Snapshot, error) {
	s := reachMasters(ctx, c, o, false)
	defer s.Close()
	if ctx.Err() != nil {
		return Snapshot{}, context.Cause(ctx)
	}
	if len(s.conns) == 0 {
		return Snapshot{}, s.withAway(errors.New("no master could be reached"))
	}
	top := uint64(0) // without it the lock would be tried for with an epoch that was
	for _, e := range s.fleet(0).Show(ctx).Masters {
		top = max(top, e.Epoch)
	}
	l, err := s.lock(ctx, r, lock.Seen{Epoch: top})
	if err != nil {
		return Snapshot{}, err
	}
	l.begin()
	out, err := s.takeSnapshot(l.Context(), to)
	l.Release(OutcomeOfError(l.Context(), err))
	return out, err
}

// takeSnapshot asks one master after the other, until one has done it.
func (s *Session) takeSnapshot(ctx context.Context, to string) (Snapshot, error) {
	out := Snapshot{SchemaVersion: 1, Away: s.Away}
	var errs []error
	for _, m := range s.Cluster.KubeMasters {
		conn := s.conns[m.Name]
		if conn == nil || s.Away[m.Name] != nil {
			continue
		}
		t, err := snapshot.Take(ctx, conn, s.options.Now())
		if err != nil {
			if ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
			errs = append(errs, err)
			continue
		}
		out.Taken = t
		if to == "" {
			return out, nil
		}
		out.Copy = to
		return out, snapshot.Copy(ctx, conn, t, to)
	}
	return out, s.withAway(errors.Join(errs...))
}
