package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

func told(t *testing.T, r provision.CheckReport) string {
	t.Helper()
	var out, errs bytes.Buffer
	if err := (view.View{Out: &out, Err: &errs}).Check(r); err != nil || errs.Len() > 0 {
		t.Fatalf("%v, on standard error: %s", err, &errs)
	}
	return out.String()
}

func change(host, what string, action plan.Action, reason string) plan.Change {
	kind, name, _ := strings.Cut(what, ":")
	return plan.Change{Item: plan.Item{ID: plan.NewID(host, kind, name)}, Action: action, Reason: reason}
}

// What is as wanted is not worth a word.
func TestACheckThatIsInSyncIsSilent(t *testing.T) {
	r := provision.CheckReport{Cluster: "c", Plan: plan.Plan{Changes: []plan.Change{change("m1", "unit:etcd", plan.NoOp, "")}}}
	if !r.InSync() || told(t, r) != "" {
		t.Errorf("in sync: %v, says %q", r.InSync(), told(t, r))
	}
}

// What does not serve comes first, what is not there yet last, and what is the same on
// several hosts is told once.
func TestACheckTellsTheMostImportantFirst(t *testing.T) {
	r := provision.CheckReport{
		Cluster: "c", Unseen: []string{"the API could not be asked: refused\nand\x1b[31m refused"},
		Away: map[string]error{"n9": errors.New("no route")},
		Plan: plan.Plan{Changes: []plan.Change{
			change("m1", "file:/etc/a", plan.Create, "absent"),
			change("m1", "sysctl:k", plan.Update, "it is sha256:0123, not sha256:4567"),
			change("m1", "unit:etcd", plan.NoOp, ""),
			change("n1", "sysctl:k", plan.Update, "it is sha256:89ab, not sha256:4567"),
			change("n1", "file:/etc/b", plan.Delete, "not wanted"),
			change("n1", "unit:kubelet", plan.Update, "active is inactive, not active"),
		}},
	}
	const want = `not known: the API could not be asked: refused and refused
n9 could not be looked at: no route
n1: ~ unit:kubelet: active is inactive, not active
n1: - file:/etc/b: not wanted
m1, n1: ~ sysctl:k: it is sha256:…, not sha256:…
m1: + file:/etc/a
c: 5 of 6 things are not as the inventory says; 1 host could not be looked at; ` + "`drover plan` shows all\n"
	if d := cmp.Diff(want, told(t, r)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// However much is wrong, it fits on a screen, and the last line sums it up.
func TestACheckFitsOnAScreen(t *testing.T) {
	r := provision.CheckReport{Cluster: "c", Away: map[string]error{}}
	for n := range 100 {
		r.Away[fmt.Sprintf("n%03d", n)] = errors.New(strings.Repeat("x", 1000))
		r.Plan.Changes = append(r.Plan.Changes, change("m1", fmt.Sprintf("file:%d", n), plan.Create, "absent"))
	}
	lines := strings.Split(strings.TrimSuffix(told(t, r), "\n"), "\n")
	if len(lines) != 20 || lines[18] != "and 89 more" || !strings.HasPrefix(lines[19], "c: 100 of 100 things are not as the inventory says; 100 hosts could not be looked at") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if len(l) > 300 {
			t.Errorf("a line has %d bytes", len(l))
		}
	}
}

// A live run is told of in one line when it has the same inventory, and after what was
// found when it has another.
func TestACheckTellsOfALiveRun(t *testing.T) {
	run := provision.LockEntry{}
	run.Run, run.Owner, run.PID, run.Reason, run.Since = "r1", "alice@admin", 7, "drover apply", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const who = "run r1 is active: alice@admin (pid 7) runs \"drover apply\" since 2026-01-02T03:04:05Z"
	r := provision.CheckReport{Cluster: "c", Run: &run, Same: true, Plan: plan.Plan{Changes: []plan.Change{change("m1", "file:a", plan.Create, "absent")}}}
	if got := told(t, r); got != "c: not verified, as "+who+"\n" {
		t.Errorf("the same inventory: %q", got)
	}
	r.Same = false
	if got := told(t, r); !strings.HasPrefix(got, "m1: + file:a\n") || !strings.HasSuffix(got, "\nc: this may change, as "+who+", of another inventory\n") {
		t.Errorf("another inventory: %q", got)
	}
}
