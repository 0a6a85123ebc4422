package view

import (
	"errors"
	"maps"
	"slices"
)

// mostAway is how many hosts are told of one by one, and how many reasons when there
// are more hosts.
const mostAway = 10

// Away warns of hosts that could not be reached, and what follows for them. Many are
// told of by what they have in common: when a rack loses its power, nobody wants to
// read the same line a hundred times.
func (v View) Away(what string, hosts map[string]error) {
	names := slices.Sorted(maps.Keys(hosts))
	if len(names) <= mostAway {
		for _, name := range names {
			v.Warn("%s %s: %v", name, what, hosts[name])
		}
		return
	}
	alike := map[string][]string{}
	var reasons []string
	for _, name := range names {
		why := root(hosts[name]).Error()
		if alike[why] == nil {
			reasons = append(reasons, why)
		}
		alike[why] = append(alike[why], name)
	}
	for i, why := range reasons {
		if i == mostAway {
			var rest []string
			for _, why := range reasons[i:] {
				rest = append(rest, alike[why]...)
			}
			v.Warn("%s for other reasons, each: %s", count(len(rest), "more host"), listed(rest))
			return
		}
		same := alike[why]
		if len(same) == 1 {
			v.Warn("%s %s: %v", same[0], what, hosts[same[0]])
			continue
		}
		v.Warn("%s %s: %v\n  and for the same reason %s: %s", same[0], what, hosts[same[0]], count(len(same)-1, "more host"), listed(same[1:]))
	}
}

// root is what an error comes of in the end.
func root(err error) error {
	for {
		under := errors.Unwrap(err)
		if under == nil {
			return err
		}
		err = under
	}
}
