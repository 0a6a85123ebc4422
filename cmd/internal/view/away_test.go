package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision/host"
)

// A few hosts that are away are told of one by one; of a rack of them that lost its
// power, the reason once.
func TestAway(t *testing.T) {
	silent := errors.New("not a word")
	told := func(hosts int) string {
		away := map[string]error{}
		for n := range hosts {
			name := fmt.Sprintf("kube-node-%03d", n)
			away[name] = &host.UnreachableError{Host: name, Op: "connecting to 10.0.0." + fmt.Sprint(n), Err: fmt.Errorf("dial %d: %w", n, silent)}
		}
		away["kube-node-7"] = &host.AuthError{Host: "kube-node-7", Err: errors.New("its key has changed")}
		var errs bytes.Buffer
		(view.View{Err: &errs}).Away("is left out", away)
		return errs.String()
	}
	if few := told(9); strings.Count(few, "warning: ") != 10 || strings.Count(few, " is left out: ") != 10 {
		t.Errorf("few:\n%s", few)
	}
	many := told(400)
	if strings.Count(many, "\n") > 8 || !strings.Contains(many, "kube-node-000 is left out: ") || !strings.Contains(many, "399 more hosts: kube-node-001, ") || !strings.Contains(many, "kube-node-7 is left out: ") {
		t.Errorf("many:\n%s", many)
	}
}
