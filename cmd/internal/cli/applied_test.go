package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// How an apply ends that did what it could.
func TestApplied(t *testing.T) {
	away := map[string]error{"m3": &host.UnreachableError{Host: "m3", Err: errors.New("no route")}}
	for name, c := range map[string]struct {
		kinds []report.Kind
		away  map[string]error
		want  int
	}{
		"all is done":                             {[]report.Kind{report.Done}, nil, 0},
		"all that could be is done":               {[]report.Kind{report.Done}, away, 69},
		"something failed":                        {[]report.Kind{report.Failed, report.Skipped}, nil, 1},
		"something failed, and a host is away":    {[]report.Kind{report.Failed}, away, 1},
		"the others are too few, and one is away": {[]report.Kind{report.Done, report.Left, report.Skipped}, away, 69},
		"the others are too few, and all here":    {[]report.Kind{report.Done, report.Left}, nil, 1},
	} {
		var r report.Report
		for _, k := range c.kinds {
			o := report.Outcome{Kind: k}
			if k != report.Done {
				o.Err = errors.New("why")
			}
			r.Outcomes = append(r.Outcomes, o)
		}
		err := applied(context.Background(), &provision.Session{Away: c.away}, plan.Plan{}, r, false)
		if got := exitCode(context.Background(), err); got != c.want {
			t.Errorf("%s: exit %d, want %d", name, got, c.want)
		}
	}
}
