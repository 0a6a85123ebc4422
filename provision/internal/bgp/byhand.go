package bgp

import (
	"fmt"
	"slices"
)

// ByHand is what to paste on a BIG-IP that cannot be read, as far as the hosts'
// own view tells: missing are the hosts that see no session with it, up those
// that see one; of others nothing is known. While nobody has one it may know
// nothing of the cluster, so that is all of its side. As soon as somebody has, the
// rest must be there, and the head is left out: a router-id that is entered anew
// would end the sessions there are. Lines that it has already change nothing.
func ByHand(p Peering, up, missing []string) []string {
	switch {
	case len(missing) == 0:
		return nil
	case len(up) == 0:
		return Render(p)
	}
	lines := []string{fmt.Sprintf("router bgp %d", p.LocalAS)}
	for _, n := range p.sorted() {
		if slices.Contains(missing, n.Name) {
			lines = append(lines, fmt.Sprintf(" neighbor %s peer-group %s", n.Address, p.Group()))
		}
	}
	return Paste(lines)
}
