package placement

// Margin is what is taken off a claim about so many pods, in percent of them: orders
// that were not tried may be worse by as much.
type Margin int

// Margins of a claim about all nodes and of one about those that are left. After a loss
// there are two orders, of what was placed and of what is placed again; and of how many
// more find a place only the worst orders for all are looked at. Where pods are large,
// one in the way of another is more.
const (
	none            Margin = 0 // where no order makes a difference
	Whole           Margin = 1
	AfterLoss       Margin = 2
	AfterLossCoarse Margin = 3 // where a pod may ask for more than an eighth of a node
)

// Of so many pods, rounded up.
func (m Margin) Of(pods int) int { return (pods*int(m) + 99) / 100 }

// afterLoss is the margin after a loss when the state's workloads are placed.
func (s *state) afterLoss() Margin {
	for _, w := range s.works {
		if s.coarse(w) {
			return AfterLossCoarse
		}
	}
	return AfterLoss
}

// coarse reports whether a pod of a workload asks for more than an eighth of the CPU or
// of the memory of a node that it may be on.
func (s *state) coarse(w *work) bool {
	const parts = 8
	if w.DaemonSet {
		return false
	}
	for _, n := range s.order {
		l := &s.loads[n]
		if (w.Requests.CPU*parts > l.maxCPU || w.Requests.Memory*parts > l.maxMemory) && s.admitted(w, n) {
			return true
		}
	}
	return false
}
