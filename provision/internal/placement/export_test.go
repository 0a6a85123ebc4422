package placement

// PlaceInOrder is how many pods of the workloads that are no DaemonSets find a place
// when they are submitted one by one in the order of their names, as the scheduler
// may decide with one fall of its dice.
func PlaceInOrder(nodes []Node, workloads []Workload, names []string, dice uint64) (placed int) {
	f := newFleet(nodes)
	index := map[string]int{}
	var works []*work
	for i := range workloads {
		works = append(works, f.work(&workloads[i]))
		index[workloads[i].Name] = i
	}
	s := newState(f, works)
	s.dice = dice | 1
	for i, w := range works {
		if w.DaemonSet {
			s.daemons(i)
		}
	}
	for _, name := range names {
		s.schedule(index[name], 1)
	}
	for i := range s.jobs {
		if !works[i].DaemonSet {
			placed += s.jobs[i].placed
		}
	}
	return placed
}

// Simulated is what the worst order came to, before the margin.
func (p *Placement) Simulated() int { return p.runs[0].placed }

// Orders are the worst orders that were found, as names of workloads, one for each pod.
func (p *Placement) Orders(workloads []Workload) (orders [][]string) {
	pods := make([]int, len(workloads))
	for i, w := range workloads {
		if !w.DaemonSet {
			pods[i] = w.Replicas
		}
	}
	for _, r := range p.runs {
		var names []string
		for _, t := range r.order.turns(pods, 1) {
			for range t.pods {
				names = append(names, workloads[t.work].Name)
			}
		}
		orders = append(orders, names)
	}
	return orders
}
