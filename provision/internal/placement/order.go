package placement

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// order is a way to submit the pods of workloads.
type order struct {
	works []int
	style style
	parts int    // of a style that has some
	dice  uint64 // how it falls out where the scheduler may take either of two nodes
}

// style is how the pods of several workloads follow on each other.
type style int

const (
	inBlocks style = iota // one workload after the other
	inShares              // a part of each in turn, so that all are done at the same time
	inTurn                // as many of each in turn, so that the small ones are done first
)

// turn is so many pods of one workload, submitted together.
type turn struct{ work, pods int }

// turns of an order, of the pods there are to submit; no smaller than at once may be.
func (o order) turns(pods []int, atOnce int) []turn {
	type piece struct {
		turn
		at float64
	}
	var pieces []piece
	for _, i := range o.works {
		n := pods[i]
		parts := 1
		switch {
		case n == 0:
			continue
		case o.style == inShares:
			parts = min((n+atOnce-1)/atOnce, o.parts)
		case o.style == inTurn:
			parts = (n + atOnce*o.parts - 1) / (atOnce * o.parts)
		}
		for k := range parts {
			p := piece{turn{i, n*(k+1)/parts - n*k/parts}, 0}
			switch o.style {
			case inShares:
				p.at = (float64(k) + 0.5) / float64(parts)
			case inTurn:
				p.at = float64(k)
			}
			pieces = append(pieces, p)
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	turns := make([]turn, len(pieces))
	for i, p := range pieces {
		turns[i] = p.turn
	}
	return turns
}

// evenly is so many parts that more make no difference.
const evenly = 16

// obvious orders, the most telling first: the largest first, the smallest first, all
// mixed, as they were given, those that want much memory first, and much CPU.
func obvious(works []*work, whole Resources) []order {
	share := func(w *work) float64 {
		return max(part(w.Requests.CPU, whole.CPU), part(w.Requests.Memory, whole.Memory))
	}
	lean := func(w *work) float64 {
		return part(w.Requests.CPU, whole.CPU) - part(w.Requests.Memory, whole.Memory)
	}
	var given []int
	for i, w := range works {
		if !w.DaemonSet {
			given = append(given, i)
		}
	}
	by := func(value func(*work) float64) order {
		is := slices.Clone(given)
		slices.SortStableFunc(is, func(a, b int) int { return cmp.Compare(value(works[a]), value(works[b])) })
		return order{works: is}
	}
	back := func(o order) order {
		is := slices.Clone(o.works)
		slices.Reverse(is)
		return order{works: is}
	}
	return []order{back(by(share)), by(share), {given, inShares, evenly, 0}, {works: given}, by(lean), back(by(lean))}
}

func part(of, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(of) / float64(whole)
}

// near is an order that differs a little from another, now and then much.
func (o order) near(r *rand.Rand) order {
	next := order{slices.Clone(o.works), o.style, o.parts, r.Uint64()}
	is := next.works
	a, b := r.IntN(len(is)), r.IntN(len(is))
	switch r.IntN(8) {
	case 0:
		r.Shuffle(len(is), func(a, b int) { is[a], is[b] = is[b], is[a] })
	case 1, 2:
		next.style, next.parts = style(r.IntN(3)), []int{1, 2, 4, evenly}[r.IntN(4)]
	case 3, 4, 5:
		is[a], is[b] = is[b], is[a]
	case 6:
		moved := is[a]
		next.works = slices.Insert(slices.Delete(is, a, a+1), b, moved)
	}
	return next
}
