package fleetbench

import (
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// One connection that came to nothing does not make a host unreachable, whatever flag is
// given: what drover made there would stay, and be in use.
func TestOneFailedConnectionIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(*fleettest.Fleet){
		"named":                func(*fleettest.Fleet) {},
		"not in the inventory": func(f *fleettest.Fleet) { f.DropKnown("kube-node-2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
			drop(f)
			f.Host("kube-node-2").Server.Refuse(1)
			out := said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable")
			says(t, out, "kube-node-2/reset:drover  deleted")
			saysNot(t, out, "is removed without being reset")
			if kubeletsFiles(f, "kube-node-2") {
				t.Error("it was not reset")
			}
			still(t, f, map[string]string{"kube-node-1": ""})
		})
	}
}

// Without that flag nobody is waited for: that it cannot be reached is told at once.
func TestWhoCannotBeReachedIsToldAtOnce(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Host("kube-node-2").Server.Refuse(1)
	says(t, said(t, f, 69, "node", "remove", "kube-node-2", "--auto-approve"), "kube-node-2 cannot be reached", "--unreachable does so all the same")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}
