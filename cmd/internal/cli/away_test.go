package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// unplug puts a host of the inventory where nobody answers.
func (f *fleet) unplug(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join(f.dir, "inventory.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), `"`+name+`" {`)
	if at < 0 {
		t.Fatalf("no host %s in\n%s", name, text)
	}
	rest := regexp.MustCompile(`port = \d+`).ReplaceAllString(string(text[at:]), "port = 1")
	if err := os.WriteFile(path, []byte(string(text[:at])+rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A kube-node that is dead when a cluster begins is named and left out, and the
// others are done all the same.
func TestADeadNodeDoesNotStopTheOthers(t *testing.T) {
	const dead = "kube-node-2"
	f := newFleet(t, 3, hosttest.Config{}, rootUser, "")
	f.unplug(t, dead)
	plan := start(t, f.drover(t, "plan"))
	if code := plan.end(t, limitOfRun); code != 69 || !strings.Contains(plan.errs.String(), dead+" is left out: ") {
		t.Errorf("plan: exit %d\n%s", code, &plan.errs)
	}
	if out := plan.out.String(); strings.Contains(out, "\n"+dead+"\n") || !strings.Contains(out, "kube-node-1\n") {
		t.Errorf("plan:\n%s", out)
	}
	apply := start(t, f.drover(t, "apply", "--auto-approve"))
	apply.end(t, limitOfRun) // no cluster comes up on fakes
	for _, m := range f.machines[:2] {
		if !slices.ContainsFunc(m.Ops(), func(o hosttest.Op) bool { return o.Argv[0] == "drover-write-files" && o.Exit == 0 }) {
			t.Errorf("nothing was done on %s", m.Name())
		}
	}
	const told = "\nleft out: " + dead + " could not be reached, and what it lacks is not known. Run it again when it is back.\n"
	if !strings.HasSuffix(apply.out.String(), told) {
		t.Errorf("the end does not tell of it:\n%s", &apply.out)
	}
}

// Of the masters of a cluster that begins each has to be asked first.
func TestADeadMasterStopsABeginning(t *testing.T) {
	f := newFleet(t, 2, hosttest.Config{}, rootUser, "")
	f.unplug(t, "kube-master-1")
	r := start(t, f.drover(t, "apply", "--auto-approve"))
	if code := r.end(t, limitOfRun); code != 69 || !strings.Contains(r.errs.String(), "kube-master-1 could not be") {
		t.Errorf("exit %d\n%s", code, &r.errs)
	}
	for _, o := range f.machines[1].Ops() {
		if o.Argv[0] != "sh" {
			t.Errorf("the node was touched: %v", o.Argv)
		}
	}
}
