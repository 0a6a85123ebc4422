package fleetbench

import (
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// What changes no size and no time is found by those who ask for it, and repaired.
func TestVerifyReadsWhatIsInstalled(t *testing.T) {
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	node := f.Host("kube-node-1").Machine
	node.Edit(func(s *hosttest.State) {
		for _, name := range s.Below("/opt/drover/kubelet") {
			if file := s.Files[name]; strings.HasSuffix(name, "/kubelet") && file.Kind == hosttest.Regular {
				file.Content = strings.ToUpper(file.Content)
				s.Files[name] = file
			}
		}
	})
	must(t, measured(t, f.Command(drover, "plan"), ""), 0)
	if out, _ := f.Command(drover, "plan", "--verify").CombinedOutput(); !strings.Contains(string(out), "~ artifact:kubelet: files is changed: kubelet, not intact") ||
		!strings.Contains(string(out), "2 to update, 1 to restart") {
		t.Errorf("plan --verify says\n%s", out)
	}
	must(t, measured(t, f.Command(drover, "apply", "--auto-approve"), ""), 0)
	must(t, measured(t, f.Command(drover, "plan", "--verify"), ""), 2)
	must(t, measured(t, f.Command(drover, "apply", "--auto-approve", "--verify"), ""), 0)
	must(t, measured(t, f.Command(drover, "plan", "--verify"), ""), 0)
}
