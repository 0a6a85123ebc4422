package identity

import (
	"fmt"
	"net/netip"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// Namesake is what the cluster has under a kube-node's name.
type Namesake struct {
	Node    bool       // there is a Node
	Address netip.Addr // that its kubelet has told; invalid before it has
	// Left says that the Node is gone, and things of it are not.
	Left bool
}

// Former reports whether what the cluster has under a kube-node's name is of another
// machine than the one that the inventory has there, which is to take its place. Nothing
// of what a machine was before is used again, so that one has to be empty.
func Former(h inventory.Host, snap facts.Snapshot, have Namesake) (bool, *diag.Problem) {
	_, noted := snap.Texts[membership.Path]
	_, joined := snap.Files[KubeletCert]
	spoken := have.Node && have.Address.IsValid()
	switch {
	case noted: // it is the member
		return false, nil
	case joined && (have.Left || spoken && have.Address != h.Address):
		return false, &diag.Problem{
			Code: "machine-not-empty", Host: h.Name, At: h.Where.At("address").Ptr(),
			Summary: fmt.Sprintf("the machine at %s is to take %s's place, and holds the credentials of a kubelet", h.Address, h.Name),
			Detail:  "What a machine was before is not used again: who replaces a node begins empty.",
			Fix:     fmt.Sprintf("remove what is there, /var/lib/kubelet above all, and run `drover node replace %s` again", h.Name),
		}
	case joined: // a run that was cut off has let it in, and it has yet to be noted there
		return false, nil
	}
	return spoken || have.Left, nil
}
