package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

// settling is a plan on its way to being carried out.
type settling struct {
	*app
	session  *provision.Session
	plan     plan.Plan
	approved *approval
	run      runFlags
	shown    bool
	agreed   bool            // to what the plan is now
	held     *provision.Lock // nil until it is taken
}

// settle shows the plan, asks, and takes the lock; when somebody may have changed
// something in between, it does so until what was agreed to is what there is to do.
// No lock and no error: there is nothing to do.
func (a *app) settle(ctx context.Context, s *provision.Session, p plan.Plan, approved *approval, run runFlags) (*provision.Lock, plan.Plan, error) {
	w := settling{app: a, session: s, plan: p, approved: approved, run: run}
	w.agreed = w.unasked()
	for {
		moved, err := w.stands(ctx)
		if err == nil && len(w.plan.Pending()) == 0 {
			w.letGo()
			return nil, w.plan, nil
		}
		if err == nil || moved {
			err = w.take(ctx, moved)
		}
		if err == nil && w.held.Fresh && !moved {
			return w.held, w.plan, nil
		}
		if err == nil {
			err = w.again()
		}
		if err != nil {
			w.letGo()
			return nil, w.plan, err
		}
	}
}

// unasked reports whether the operator has agreed to whatever the plan is.
func (w *settling) unasked() bool { return w.run.yes || w.approved != nil }

// stands shows the plan, and is what keeps it from being carried out. What another run is
// at would look like something in the way: moved says that it may be that.
func (w *settling) stands(ctx context.Context) (moved bool, err error) {
	if err := w.approved.covers(w.plan); err != nil {
		return w.moved(ctx), err
	}
	if err := w.nobodyGoes(w.plan); err != nil {
		return false, err
	}
	if !w.shown {
		err = w.view.Plan(w.plan, view.Text)
	}
	if err != nil || len(w.plan.Pending()) == 0 {
		return false, err
	}
	if w.moved(ctx) {
		return true, nil
	}
	err = w.inTheWay(ctx, w.session, w.plan)
	return err != nil && w.moved(ctx), err
}

// moved reports whether another run is at work, or was since this one has looked. One that
// takes an answer which nobody is there to give does not wait for that.
func (w *settling) moved(ctx context.Context) bool {
	return w.held == nil && (w.agreed || !w.nonInteractive) && w.session.Moved(ctx)
}

// take asks the operator, but about half of another run's change, and takes the lock.
func (w *settling) take(ctx context.Context, moved bool) (err error) {
	if moved {
		w.view.Note("another run is at work, or was since this one has looked: this one looks again after it")
	} else if err := w.confirm(ctx, w.session, w.agreed); err != nil {
		return err
	} else {
		w.agreed = true
	}
	if w.held == nil {
		w.held, err = w.session.Lock(ctx, w.lockRequest(w.run.lock))
	}
	return err
}

// again looks and plans anew under the lock. Nobody else can change anything then; but
// nobody is kept waiting by a question.
func (w *settling) again() error {
	away, warnings := w.session.Away, w.session.Warnings
	if err := w.session.Again(w.held.Context()); err != nil {
		return err
	}
	p, err := w.session.Plan(w.held.Context())
	if err != nil {
		return err
	}
	drift, err := plan.Drift(w.plan, p)
	if err != nil {
		return err
	}
	w.warnSince(w.session, away, warnings)
	if w.plan, w.shown = p, len(drift) == 0; !w.shown {
		w.view.Note("another run has changed something in the meantime: this is what there is to do now")
		w.agreed = w.unasked()
	}
	if w.held.Fresh = true; !w.agreed {
		w.letGo()
	}
	return nil
}

// letGo gives the lock back, if it is held.
func (w *settling) letGo() {
	if w.held != nil {
		w.held.Release(provision.Outcome{})
		w.held = nil
	}
}

// inTheWay is what keeps a plan from being carried out, nil when nothing does.
func (a *app) inTheWay(ctx context.Context, s *provision.Session, p plan.Plan) error {
	err := refusal(ctx, s)
	if err == nil {
		err = a.holds(ctx, s, p)
	}
	if err == nil {
		err = a.clear(ctx, s, p)
	}
	return err
}

// warnSince tells what could not be looked at, and what somebody should know, as far as
// the look before has not told it.
func (a *app) warnSince(s *provision.Session, away map[string]error, warnings []string) {
	now := maps.Clone(s.Away)
	maps.DeleteFunc(now, func(name string, _ error) bool { return away[name] != nil })
	a.view.Away("is left out", now)
	for _, w := range s.Warnings {
		if !slices.Contains(warnings, w) {
			a.view.Warn("%s", w)
		}
	}
}
