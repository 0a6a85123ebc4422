package desired

import (
	"context"
	"errors"
	"time"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
)

// etcdSpares asks whether the quorum can do without a master's etcd.
func etcdSpares(master string) func(context.Context, resource.World) error {
	return func(ctx context.Context, w resource.World) error {
		return spared(ctx, func(ctx context.Context) error { return w.Cluster.EtcdSpares(ctx, master) })
	}
}

// apiSpares asks whether there is another API server than a master's.
func (b *builder) apiSpares(master string) func(context.Context, resource.World) error {
	var others []string
	for _, m := range b.Cluster.KubeMasters {
		if m.Name != master {
			others = append(others, m.Name)
		}
	}
	return func(ctx context.Context, w resource.World) error {
		return spared(ctx, func(ctx context.Context) error { return w.Cluster.APISpares(ctx, master, others) })
	}
}

const (
	// settling is how long the others may take to be well again, for instance after
	// one of them was started again.
	settling = 10 * time.Second
	// lasting is how much longer nobody must be served before that counts.
	lasting = 20 * time.Second
)

// spared waits until the others are well. What is in the way otherwise is the error;
// what serves nobody must do so for a while, because one look that fails, or falls
// into an election, is no reason to stop what may be the quorum's last spare member.
func spared(ctx context.Context, check func(context.Context) error) error {
	start := time.Now()
	var needed error // why it cannot be done without, as it was seen once
	err := wait.For(ctx, wait.Condition{What: "the others to be well", Limit: settling + lasting, Check: func(ctx context.Context) error {
		err := check(ctx)
		if err != nil && !errors.Is(err, cluster.ErrServesNobody) {
			needed = err
		}
		if err != nil && needed != nil && time.Since(start) >= settling {
			return wait.Permanent(needed)
		}
		return err
	}}, nil)
	late := errors.As(err, new(*wait.TimeoutError))
	switch {
	case needed == nil && late:
		return nil
	case needed != nil && (late || errors.Is(err, needed)):
		return needed // how long that was asked is no matter
	}
	return err
}
