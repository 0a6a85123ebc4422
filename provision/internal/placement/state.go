package placement

import (
	"maps"
	"slices"
)

// load is what a node has been given.
type load struct {
	cpu, memory, pods         int64
	scoredCPU, scoredMemory   int64
	maxCPU, maxMemory, maxPod int64 // its allocatable, beside what it is compared with
}

// fits is how many more of a pod fit by requests.
func (l *load) fits(r Resources) int64 {
	n := l.maxPod - l.pods
	if r.CPU > 0 {
		n = min(n, (l.maxCPU-l.cpu)/r.CPU)
	}
	if r.Memory > 0 {
		n = min(n, (l.maxMemory-l.memory)/r.Memory)
	}
	return max(n, 0)
}

func (l *load) holds(r Resources) bool {
	return l.pods < l.maxPod && (r.CPU == 0 || r.CPU <= l.maxCPU-l.cpu) && (r.Memory == 0 || r.Memory <= l.maxMemory-l.memory)
}

func (l *load) add(w *work, pods int64) {
	l.cpu += pods * w.Requests.CPU
	l.memory += pods * w.Requests.Memory
	l.pods += pods
	l.scoredCPU += pods * w.scored.CPU
	l.scoredMemory += pods * w.scored.Memory
}

// job is where the pods of one workload are.
type job struct {
	nodes   []int32 // each once, in the order they got the first
	pods    []int32 // beside nodes
	placed  int
	missing int
}

// state is nodes with pods on them.
type state struct {
	*fleet
	works []*work
	jobs  []job // beside works
	loads []load
	order []int32 // the nodes there are, as the scheduler goes through them
	start int     // where it goes on
	dice  uint64
	scratch
}

// scratch is about the workload that is being placed.
type scratch struct {
	slot    []int32    // by node: 1 + its place in the job's nodes, 0 for none
	hard    []*counter // beside the workload's rules
	soft    []*counter
	found   []int32
	scores  []int32
	spreads []int64
	tally   [scoreMax + 1]int32
}

func newState(f *fleet, works []*work) *state {
	s := &state{fleet: f, works: works, jobs: make([]job, len(works)), loads: make([]load, len(f.nodes)), dice: 88172645463325252}
	for i := range f.nodes {
		a := f.nodes[i].Allocatable
		s.loads[i] = load{maxCPU: a.CPU, maxMemory: a.Memory, maxPod: a.Pods}
		s.order = append(s.order, int32(i))
	}
	s.slot = make([]int32, len(f.nodes))
	for i, w := range works {
		for _, name := range sorted(w.Running) {
			if n, known := f.index[name]; known && w.Running[name] > 0 {
				s.put(i, n, int32(w.Running[name]))
			}
		}
		clearSlots(s, i)
	}
	return s
}

// clone shares nothing that changes.
func (s *state) clone() *state {
	c := &state{fleet: s.fleet, works: s.works, jobs: slices.Clone(s.jobs), loads: slices.Clone(s.loads), order: s.order, start: s.start, dice: s.dice}
	c.slot = make([]int32, len(s.nodes))
	for i := range c.jobs {
		c.jobs[i].nodes, c.jobs[i].pods = slices.Clip(c.jobs[i].nodes), slices.Clone(c.jobs[i].pods)
	}
	return c
}

// put places pods of a workload whose slots are there.
func (s *state) put(i int, n int32, pods int32) {
	j := &s.jobs[i]
	if s.slot[n] == 0 {
		j.nodes, j.pods = append(j.nodes, n), append(j.pods, 0)
		s.slot[n] = int32(len(j.nodes))
	}
	j.pods[s.slot[n]-1] += pods
	j.placed += int(pods)
	s.loads[n].add(s.works[i], int64(pods))
}

// on is how many of the workload being placed a node has.
func (s *state) on(i int, n int32) int32 {
	if slot := s.slot[n]; slot > 0 {
		return s.jobs[i].pods[slot-1]
	}
	return 0
}

func clearSlots(s *state, i int) {
	for _, n := range s.jobs[i].nodes {
		s.slot[n] = 0
	}
}

// open begins with a workload: its counts are made.
func (s *state) open(i int) {
	for at, n := range s.jobs[i].nodes {
		s.slot[n] = int32(at + 1)
	}
	w := s.works[i]
	s.hard, s.soft = s.hard[:0], s.soft[:0]
	for _, r := range w.hard {
		s.hard = append(s.hard, s.counter(i, r, true))
	}
	for _, r := range w.soft {
		s.soft = append(s.soft, s.counter(i, r, false))
	}
}

// without takes nodes away. It says how many pods of each workload are to be placed
// now: those that were there and those that had no place before, for a rule how to
// lie may allow more of them without the nodes. DaemonSets go with the nodes.
func (s *state) without(gone []bool) []int {
	s.order = slices.DeleteFunc(slices.Clone(s.order), func(n int32) bool { return gone[n] })
	s.start = 0
	todo := make([]int, len(s.jobs))
	for i := range s.jobs {
		j := &s.jobs[i]
		var left job
		for at, n := range j.nodes {
			if !gone[n] {
				left.nodes, left.pods = append(left.nodes, n), append(left.pods, j.pods[at])
				left.placed += int(j.pods[at])
			}
		}
		if !s.works[i].DaemonSet {
			todo[i] = j.placed - left.placed + j.missing
		}
		*j = left
		if s.works[i].DaemonSet {
			s.daemons(i)
		}
	}
	return todo
}

// free is what is left on the nodes that some workload may use, and what they have.
func (s *state) free() (left, all Resources) {
	for _, n := range s.order {
		if !slices.ContainsFunc(s.works, func(w *work) bool { return !w.DaemonSet && s.admitted(w, n) }) {
			continue
		}
		l := &s.loads[n]
		all = all.plus(Resources{l.maxCPU, l.maxMemory, l.maxPod})
		left = left.plus(Resources{max(0, l.maxCPU-l.cpu), max(0, l.maxMemory-l.memory), max(0, l.maxPod-l.pods)})
	}
	return left, all
}

// byNode is where the pods of a workload are, by the nodes' names.
func (s *state) byNode(i int) map[string]int {
	out := maps.Collect(func(yield func(string, int) bool) {
		for at, n := range s.jobs[i].nodes {
			if !yield(s.nodes[n].Name, int(s.jobs[i].pods[at])) {
				return
			}
		}
	})
	return out
}
