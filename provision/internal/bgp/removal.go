package bgp

import (
	"fmt"
	"maps"
	"slices"
)

// Removal is what must be entered to take a cluster off a BIG-IP with this
// running configuration: its neighbors and its peer-group, and nothing of the
// BGP process, which others may use. Nothing when they are gone already.
func Removal(text string, p Peering) []string {
	have := parseRunning(text)
	var inside []string
	for _, a := range slices.SortedFunc(maps.Keys(have.groupOf), compareAddrs) {
		if have.groupOf[a] == p.Group() {
			inside = append(inside, fmt.Sprintf(" no neighbor %s peer-group %s", a, p.Group()))
		}
	}
	if _, ok := have.values("neighbor", p.Group(), "peer-group"); ok {
		inside = append(inside, fmt.Sprintf(" no neighbor %s peer-group", p.Group()))
	}
	if len(inside) == 0 {
		return nil
	}
	// The process is named as it is: the inventory may say another AS by now.
	return append([]string{fmt.Sprintf("router bgp %d", have.as)}, inside...)
}
