package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Where nobody is there no plan takes a machine out of the cluster, whoever made it.
func TestNobodyGoesWhenNobodyIsThere(t *testing.T) {
	for id, refused := range map[plan.ID]bool{"cluster/node:n1": true, "n1/reset:drover": true, "n1/file:/etc/a": false, "cluster/object:BGPPeer": false} {
		p := plan.Plan{Changes: []plan.Change{{Item: plan.Item{ID: id}, Action: plan.Delete}}}
		if err := (&app{}).nobodyGoes(p); err != nil {
			t.Errorf("%s with somebody there: %v", id, err)
		}
		if err := (&app{nonInteractive: true}).nobodyGoes(p); (err != nil) != refused {
			t.Errorf("%s: %v", id, err)
		}
	}
}

type noted []string

func (n *noted) Event(e report.Event) { *n = append(*n, e.Text) }

// What a reader that is gone does not get is kept, and is no error; any other error is
// one.
func TestASteadyWriter(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	var log noted
	w := steady{to: write, keep: func() report.Sink { return &log }}
	if n, err := io.WriteString(w, "heard\n"); n != 6 || err != nil || len(log) > 0 {
		t.Errorf("%d, %v, kept %q", n, err, log)
	}
	read.Close()
	if n, err := io.WriteString(w, "lost\n"); n != 5 || err != nil || len(log) != 1 || log[0] != "lost\n" {
		t.Errorf("%d, %v, kept %q", n, err, log)
	}
	w.keep = func() report.Sink { return nil }
	if _, err := io.WriteString(w, "lost\n"); err != nil {
		t.Error(err)
	}
	full := steady{to: failing{}, keep: w.keep}
	if _, err := io.Copy(full, bytes.NewBufferString("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk is %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
