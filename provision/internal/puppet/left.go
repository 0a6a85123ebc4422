package puppet

import (
	"context"
	"fmt"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// ID is that of a host's agent.
func ID(hostname string) plan.ID { return plan.NewID(hostname, "puppet", "agent") }

// Left is that no run of drover which has ended keeps the host's agent disabled. run is
// the one that is under way, "" before there is one.
func Left(hostname string, run func() string) resource.Step {
	want := plan.State{"agent": "left to Puppet"}
	return resource.Step{
		ID: ID(hostname), Want: want, See: Scope(),
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			n, there := NoteOf(seen.Hosts[hostname])
			if !there || n.Run != "" && n.Run == run() {
				return want, nil
			}
			return plan.State{"agent": fmt.Sprintf("disabled by drover's run %s, since %s", n.Run, n.Since)}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			h, err := w.Host(hostname)
			if err != nil {
				return err
			}
			// This run has taken it over, where there is a Puppet; else there is a note.
			res, err := h.Probe(ctx, host.Cmd{Argv: []string{"cat", NotePath}})
			if err != nil {
				return err
			}
			n := parseNote(string(res.Stdout))
			if res.Exit != 0 || n.Run == run() {
				return nil
			}
			_, err = h.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", releaseScript, "drover-puppet-release", n.Lock, n.Run, NotePath}})
			return err
		},
	}
}
