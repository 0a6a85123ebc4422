package resource

import (
	"context"
	"fmt"

	"github.com/droverctl/drover/provision/host"
)

// Witness is a resource that can tell what an operator would look up next when it did
// not come about.
type Witness interface {
	// Evidence is that, in lines; "" when there is nothing to add.
	Evidence(ctx context.Context, w World) string
}

// Explained is why a resource did not come about, with the evidence. A run that was
// stopped and a host that is lost explain themselves.
func Explained(ctx context.Context, r Resource, w World, err error) error {
	witness, ok := r.(Witness)
	if err == nil || !ok || ctx.Err() != nil || host.Lost(err) {
		return err
	}
	text := witness.Evidence(ctx, w)
	if text == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, text)
}
