package resource

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/evidence"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// StartedDir is where drover notes what each unit was last started with. The note
// is written after the start: a run that dies between a change and the restart it
// calls for leaves a note that does not match, and the next run restarts.
const StartedDir = "/var/lib/drover/started"

// Unit is a systemd service that runs, is enabled, and has read its inputs.
type Unit struct {
	Host     string
	Name     string // "kubelet.service"
	Inputs   []plan.Item
	Needs    []plan.ID
	Serial   string
	Deadline time.Duration // to become active; 0 is a minute
	Ports    []uint16      // that it listens on
	// Verb is what makes a running unit read its inputs; empty is restart.
	Verb string
	// Spare is asked before a unit that there is is touched: an error says why the
	// others cannot do without it now. nil is no such unit.
	Spare func(ctx context.Context, w World) error
	// Ready is asked after a start until it is content; nil is content at once.
	Ready func(ctx context.Context, w World, a plan.Action) error

	inputs string // the digest of Inputs, once it was worked out
}

// Noted is the same unit, for which the digest of its inputs is worked out once: it
// is asked for with every look at its item.
func (u Unit) Noted() Unit {
	u.inputs = DigestOf(u.Inputs...)
	return u
}

// UnitID is the ID of a unit on a host.
func UnitID(hostname, name string) plan.ID { return plan.NewID(hostname, "unit", name) }

// Item is the unit, running with its inputs as they are wanted.
func (u Unit) Item() plan.Item {
	if u.inputs == "" {
		u = u.Noted()
	}
	item := plan.Item{ID: UnitID(u.Host, u.Name), Needs: u.Needs, Serial: u.Serial, Want: plan.State{
		"active": "active", "enabled": "enabled", "inputs": u.inputs,
	}}
	for _, i := range u.Inputs {
		item.Triggers = append(item.Triggers, i.ID)
	}
	return item
}

// Scope is the unit and the note.
func (u Unit) Scope() facts.Scope {
	return facts.Scope{Units: []string{u.Name}, Paths: []string{u.note()}}
}

func (u Unit) note() string { return under(StartedDir, u.Name+".drover") }

// Observe tells whether the unit runs, is enabled, and what it was started with.
func (u Unit) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(UnitID(u.Host, u.Name))
	if err != nil {
		return nil, err
	}
	have, ok := snap.Units[u.Name]
	if !ok {
		return nil, fmt.Errorf("%s: systemd was not asked about %s", u.Host, u.Name)
	}
	if have.Load == "not-found" {
		return nil, nil
	}
	s := plan.State{"active": have.Active, "enabled": have.Enabled, "inputs": strings.TrimSpace(snap.Texts[u.note()])}
	if have.Reload {
		s["active"] = have.Active + ", its file changed since"
	}
	if s["inputs"] == "" {
		s["inputs"] = "unknown"
	}
	return s, nil
}

// Spared asks whether the others can do without the unit now.
func (u Unit) Spared(ctx context.Context, w World) error {
	if u.Spare == nil {
		return nil
	}
	if err := u.Spare(ctx, w); err != nil {
		return &NotSparedError{Host: u.Host, Name: u.Name, Err: err}
	}
	return nil
}

// Idle tells whether the unit did not run. One that is coming up may serve by the time
// it is its turn. Three etcds of which none runs come up together or not at all.
func (u Unit) Idle(before plan.State) bool {
	is, _, _ := strings.Cut(before["active"], ",")
	return is == "inactive" || is == "failed"
}

// NotSparedError is a unit that was left as it is, because those like it on other
// hosts are too few to do without it.
type NotSparedError struct {
	Host, Name string
	Err        error // who is missing
}

func (e *NotSparedError) Error() string {
	return fmt.Sprintf("%s on %s is left as it is: %v; bring back who is missing, then apply again", e.Name, e.Host, e.Err)
}

func (e *NotSparedError) Unwrap() error { return e.Err }

// Apply starts the unit, or starts it again so that it reads its inputs.
func (u Unit) Apply(ctx context.Context, w World, c plan.Change) error {
	h, err := w.Host(u.Host)
	if err != nil {
		return err
	}
	limit := u.Deadline
	if limit == 0 {
		limit = time.Minute
	}
	// A reload of all units costs a host most of a second: systemd says whether
	// this one needs it, or remembers it as it was before it was enabled.
	script := fmt.Sprintf(`set -e
systemctl enable --quiet --no-reload %[1]s
case "$(systemctl show --property=NeedDaemonReload,UnitFileState %[1]s)" in
*NeedDaemonReload=yes* | *UnitFileState=disabled*) systemctl daemon-reload ;;
esac
systemctl reset-failed %[1]s 2>/dev/null || :
systemctl %[2]s %[1]s
`, host.Quote(u.Name), cmp.Or(u.Verb, "restart"))
	_, err = h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(whole(script)), Limit: limit})
	if err == nil {
		err = u.settle(ctx, w, h, c.Action, limit)
	}
	if err != nil {
		return err
	}
	// Written last: only what has come up counts as started.
	return h.WriteFile(ctx, u.note(), []byte(u.Item().Want["inputs"]+"\n"), host.FileMeta{Mode: 0o644})
}

// lookEvery is how often systemd is asked about a unit that is waited for: a
// command on the host, where asking whether it is ready is a request.
const lookEvery = time.Second

// settle waits until the unit is active and says that it is ready.
func (u Unit) settle(ctx context.Context, w World, h host.Reader, a plan.Action, limit time.Duration) error {
	var looked time.Time
	return wait.For(ctx, wait.Condition{
		What: u.Name + " on " + u.Host, Limit: limit, Every: 200 * time.Millisecond,
		Check: func(ctx context.Context) error {
			if u.Ready == nil || time.Since(looked) >= lookEvery {
				if err := u.active(ctx, h); err != nil {
					return err
				}
				looked = time.Now()
			}
			if u.Ready == nil {
				return nil
			}
			return u.Ready(ctx, w, a)
		},
	}, w.Waiting)
}

// active is nil when systemd says that the unit runs.
func (u Unit) active(ctx context.Context, h host.Reader) error {
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"systemctl", "is-active", u.Name}})
	if err != nil {
		return err
	}
	switch state := strings.TrimSpace(string(res.Stdout)); state {
	case "active":
		return nil
	case "failed":
		return wait.Permanent(fmt.Errorf("%s failed", u.Name))
	default:
		return fmt.Errorf("%s is %s", u.Name, state)
	}
}

// Evidence is what the host knows of the unit.
func (u Unit) Evidence(ctx context.Context, w World) string {
	h, err := w.Host(u.Host)
	if err != nil {
		return ""
	}
	return evidence.Unit(ctx, h, u.Name, u.Ports...)
}
