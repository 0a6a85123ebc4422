package placement

import "slices"

// PlaceInOrder is how many pods of the workloads that are no DaemonSets find a place
// when they are submitted one by one in the order of their names, as the scheduler
// may decide with one fall of its dice.
func PlaceInOrder(nodes []Node, workloads []Workload, names []string, dice uint64) int {
	return inOrder(nodes, workloads, names, dice).settled()
}

// LoseInOrder is PlaceInOrder, and then how many have a place when a node is gone, and
// the pods that have none after that are submitted in the order that again brings them in.
func LoseInOrder(nodes []Node, workloads []Workload, names []string, gone string, again func([]string), dice uint64) (before, after int) {
	s := inOrder(nodes, workloads, names, dice)
	before = s.settled()
	var owed []string
	for i, pods := range s.without(s.gone(gone)) {
		s.jobs[i].missing = 0
		for range pods {
			owed = append(owed, workloads[i].Name)
		}
	}
	again(owed)
	s.submitNames(owed)
	return before, s.settled()
}

func inOrder(nodes []Node, workloads []Workload, names []string, dice uint64) situation {
	f := newFleet(nodes)
	var works []*work
	for i := range workloads {
		works = append(works, f.work(&workloads[i]))
	}
	s := situation{state: newState(f, works)}
	s.dice = dice | 1
	for i, w := range works {
		if w.DaemonSet {
			s.daemons(i)
		}
	}
	s.submitNames(names)
	return s
}

func (s situation) submitNames(names []string) {
	for _, name := range names {
		s.schedule(slices.IndexFunc(s.works, func(w *work) bool { return w.Name == name }), 1)
	}
}

func (f *fleet) gone(name string) []bool {
	gone := make([]bool, len(f.nodes))
	gone[f.index[name]] = true
	return gone
}

// Orders are the worst orders that were found, as names of workloads, one for each pod.
func (p *Placement) Orders() (orders [][]string) {
	for _, r := range p.runs {
		orders = append(orders, r.names())
	}
	return orders
}

// LossOrder is the order in which pods were placed before a node was lost, and that in which
// those without a place were submitted again, by workload.
type LossOrder struct{ Before, Again []string }

// LossOrders are the worst that were found.
func (p *Placement) LossOrders(node string) (orders []LossOrder) {
	from := p.situations(p.fleet.gone(node), wholeBudget)
	runs, _ := search(from, p.wanted, wholeBudget)
	for _, r := range runs {
		o := LossOrder{Before: p.found()[r.from.of].names()}
		for _, i := range r.order.works {
			o.Again = append(o.Again, r.works[i].Name)
		}
		orders = append(orders, o)
	}
	return orders
}

// names of the workloads in a run's order, one for each pod that it submitted.
func (r *run) names() (names []string) {
	for _, t := range r.order.turns(r.from.pods, 1) {
		for range t.pods {
			names = append(names, r.works[t.work].Name)
		}
	}
	return names
}
