package cli

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// What a caller that is no person may do, and what it does to us: it answers nothing,
// decides about no machine, and stops reading when its own time is up.

// unattended refuses what somebody has to decide who is there.
func (a *app) unattended(what, instead string) error {
	if !a.nonInteractive {
		return nil
	}
	return usageError("--non-interactive %s: that is for somebody to decide, who runs `%s` without --non-interactive", what, instead)
}

// mayRemove refuses a task that takes machines out of the cluster when nobody is there.
func (a *app) mayRemove(t provision.NodeTask) error {
	const what = "removes no host"
	switch t.Verb {
	case provision.NodeRemove, provision.NodePrune:
		return a.unattended(what, "drover node remove NAME --auto-approve")
	case provision.NodeReplace, provision.MasterReplace:
		return a.unattended(what, "drover node replace NAME --auto-approve")
	}
	return nil
}

// nobodyGoes refuses a plan that takes a machine out of the cluster when nobody is there,
// wherever that came from.
func (a *app) nobodyGoes(p plan.Plan) error {
	for _, c := range p.Pending() {
		kind, _, _ := strings.Cut(c.ID.What(), ":")
		if c.Action == plan.Delete && (kind == "node" || kind == "reset") {
			if err := a.unattended("removes no host, and this would be done: "+string(c.ID), "drover apply"); err != nil {
				return err
			}
		}
	}
	return nil
}

// steady writes data for somebody who may stop reading: what is lost by that is kept in
// the log of the run, and stops nothing.
type steady struct {
	to   io.Writer
	keep func() report.Sink // nil where there is no log
}

func (w steady) Write(text []byte) (int, error) {
	n, err := w.to.Write(text)
	if !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	if keep := w.keep(); keep != nil {
		// It is all that keeps it, so the view is none that writes to anybody.
		view.View{Err: io.Discard, Keep: keep}.Note(string(text[n:]))
	}
	return len(text), nil
}
