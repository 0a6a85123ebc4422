package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/plan"
)

// Sysctls are kernel settings as they are in force. That they hold after a
// reboot is a File's business.
type Sysctls struct {
	Host   string
	Values map[string]string
	// Optional are keys that not every kernel has, or not in every namespace:
	// where one is absent there is nothing to set.
	Optional map[string]bool
	Needs    []plan.ID
}

// SysctlsID is the ID of a host's kernel settings.
func SysctlsID(hostname string) plan.ID { return plan.NewID(hostname, "sysctl", "kubernetes") }

// Item is each setting's value.
func (s Sysctls) Item() plan.Item {
	return plan.Item{ID: SysctlsID(s.Host), Needs: s.Needs, Want: plan.State(s.Values)}
}

// Scope is the settings.
func (s Sysctls) Scope() facts.Scope {
	return facts.Scope{Sysctls: slices.Sorted(maps.Keys(s.Values))}
}

// Observe tells the settings' values; one the kernel lacks is "absent".
func (s Sysctls) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(SysctlsID(s.Host))
	if err != nil {
		return nil, err
	}
	have := plan.State{}
	for key := range s.Values {
		value, ok := snap.Sysctls[key]
		switch {
		case !ok && s.Optional[key]:
			value = s.Values[key]
		case !ok:
			value = "absent"
		}
		have[key] = value
	}
	return have, nil
}

// Apply sets those that differ.
func (s Sysctls) Apply(ctx context.Context, w World, c plan.Change) error {
	h, err := w.Host(s.Host)
	if err != nil {
		return err
	}
	argv := []string{"sysctl", "-q", "-w"}
	for _, key := range slices.Sorted(maps.Keys(s.Values)) {
		if c.Before[key] != s.Values[key] {
			argv = append(argv, fmt.Sprintf("%s=%s", key, s.Values[key]))
		}
	}
	_, err = h.Run(ctx, host.Cmd{Argv: argv})
	return err
}
