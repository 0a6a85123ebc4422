package placement

import (
	"fmt"
	"strconv"
)

// why says what keeps the next pod of a workload out.
func (s *state) why(i int) (Shortage, string) {
	w := s.works[i]
	var may, roomy int
	var most Resources // the largest free of each, where a pod slot is free
	var cpuAt, memoryAt int32
	s.open(i)
	defer clearSlots(s, i)
	for _, n := range s.order {
		if !s.admitted(w, n) || w.DaemonSet && s.on(i, n) > 0 {
			continue
		}
		may++
		l := &s.loads[n]
		if l.pods >= l.maxPod {
			continue
		}
		most.Pods++
		if left := l.maxCPU - l.cpu; left > most.CPU || most.Pods == 1 {
			most.CPU, cpuAt = left, n
		}
		if left := l.maxMemory - l.memory; left > most.Memory || most.Pods == 1 {
			most.Memory, memoryAt = left, n
		}
		if l.holds(w.Requests) {
			roomy++
		}
	}
	noCPU, noMemory := w.Requests.CPU > 0 && w.Requests.CPU > most.CPU, w.Requests.Memory > 0 && w.Requests.Memory > most.Memory
	cpu := func() string {
		return fmt.Sprintf("CPU for it: it asks for %s, the largest free is %s on %s", Cores(w.Requests.CPU), Cores(most.CPU), s.nodes[cpuAt].Name)
	}
	memory := func() string {
		return fmt.Sprintf("memory for it: it asks for %s, the largest free is %s on %s", Size(w.Requests.Memory), Size(most.Memory), s.nodes[memoryAt].Name)
	}
	switch {
	case may == 0:
		return ShortNode, s.whyNowhere(w)
	case roomy > 0:
		return ShortSpread, fmt.Sprintf("%s left with room, but its topology spread allows none of them: %s", nodes(roomy), s.whySpread())
	case most.Pods == 0:
		return ShortPods, fmt.Sprintf("none of the %s it may be on may have more pods", nodes(may))
	case noCPU && noMemory:
		return ShortMemory, "no node left has " + memory() + "; nor " + cpu()
	case noCPU:
		return ShortCPU, "no node left has " + cpu()
	case noMemory:
		return ShortMemory, "no node left has " + memory()
	}
	return ShortTogether, fmt.Sprintf("no node left has both %s of CPU and %s of memory: the largest free are %s on %s and %s on %s",
		Cores(w.Requests.CPU), Size(w.Requests.Memory), Cores(most.CPU), s.nodes[cpuAt].Name, Size(most.Memory), s.nodes[memoryAt].Name)
}

// whyNowhere tells labels that are missing from taints that are not tolerated.
func (s *state) whyNowhere(w *work) string {
	selected := 0
	for _, n := range s.order {
		if s.selected(w, n) {
			selected++
		}
	}
	switch {
	case len(s.order) == 0:
		return "there is no node"
	case selected == 0:
		return fmt.Sprintf("none of the %s has the labels it asks for", nodes(len(s.order)))
	}
	return fmt.Sprintf("it tolerates the taints of none of the %s that have its labels", nodes(selected))
}

// whySpread names the rule that is at its limit.
func (s *state) whySpread() string {
	for at, c := range s.hard {
		for v, counts := range c.counts {
			if !counts || c.pods[v] != c.least {
				continue
			}
			for _, n := range s.order {
				if c.value[n] == int32(v) {
					name, _ := s.nodes[n].label(c.key)
					return fmt.Sprintf("rule %d, over %s: %s has %d and can take no more, and none may have over %d more than that", at+1, c.key, name, c.least, c.maxSkew)
				}
			}
		}
	}
	return "no node has the labels of all its rules"
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return strconv.Itoa(n) + " nodes"
}

// Cores is processor time as people write it: "250m", "4".
func Cores(milli int64) string {
	if milli%1000 == 0 {
		return strconv.FormatInt(milli/1000, 10)
	}
	return strconv.FormatInt(milli, 10) + "m"
}

// Size is memory as people write it, to a tenth: "512 MiB", "1.5 GiB".
func Size(bytes int64) string {
	value, unit := float64(bytes), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 && value > -1024 {
			break
		}
		value, unit = value/1024, next
	}
	return strconv.FormatFloat(float64(int64(value*10))/10, 'f', -1, 64) + " " + unit
}
