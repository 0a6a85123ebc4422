package placement

// Result is what fits of what was asked for.
type Result struct {
	Wanted int `json:"wanted"` // replicas of all workloads; DaemonSets are beside that
	// Placed is how many of them find a place, in whatever order they are submitted.
	// In any single order there may be some more.
	Placed int  `json:"placed"`
	Exact  bool `json:"exact"` // it is that many in every order
	// Workloads, beside those asked about, are what the worst order found comes to;
	// together they may be more than Placed, by the margin kept for orders not tried.
	Workloads []Outcome `json:"workloads"`
	Order     []string  `json:"order"`           // the workloads' names as submitted in that order
	Mixed     bool      `json:"mixed,omitempty"` // a part of each in turn, rather than one after the other
	// Free is what is left then, and Allocatable what there is, on the nodes that one
	// of the workloads may use at all.
	Free        Resources `json:"free"`
	Allocatable Resources `json:"allocatable"`
}

// Fits reports whether all replicas find a place in any order, and every DaemonSet
// has its part of each node.
func (r Result) Fits() bool {
	for _, o := range r.Workloads {
		if o.Missing > 0 {
			return false
		}
	}
	return r.Placed == r.Wanted
}

// Outcome is what becomes of one workload.
type Outcome struct {
	Workload  string         `json:"workload"`
	DaemonSet bool           `json:"daemon_set,omitempty"`
	Placed    int            `json:"placed"`
	Missing   int            `json:"missing"`
	Short     Shortage       `json:"short,omitempty"`
	Why       string         `json:"why,omitempty"` // when some are missing
	On        map[string]int `json:"on,omitempty"`  // pods by node
}

// Shortage is what there is too little of.
type Shortage string

// Shortages, from what could never be to what other pods have taken.
const (
	ShortNode     Shortage = "node"   // none that the pods may be on
	ShortSpread   Shortage = "spread" // a hard rule how to lie
	ShortPods     Shortage = "pods"   // max pods
	ShortCPU      Shortage = "cpu"
	ShortMemory   Shortage = "memory"
	ShortTogether Shortage = "together" // there is enough of each, but not on one node
)
