package inventory

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// ParseWorkload reads a workload as it is written on one line: NAME=REPLICAS,CPU,MEMORY,
// such as "web=120,500m,512Mi".
func ParseWorkload(text string) (Workload, error) {
	const form = `write it as NAME=REPLICAS,CPU,MEMORY, such as "web=120,500m,512Mi"`
	name, rest, _ := strings.Cut(text, "=")
	parts := strings.Split(rest, ",")
	if name == "" || len(parts) != 3 {
		return Workload{}, fmt.Errorf("%q is no workload: %s", text, form)
	}
	if !dnsLabel.MatchString(name) {
		return Workload{}, fmt.Errorf("%q is no name for a workload: use lower-case letters, digits and dashes, 63 at most", name)
	}
	n, err := strconv.Atoi(parts[0])
	if err != nil || int64(n) < counts.min || int64(n) > counts.max {
		return Workload{}, fmt.Errorf("%q are no replicas of %s: use %d to %d", parts[0], name, counts.min, counts.max)
	}
	cpu, ok := quantity(parts[1], cpuUnits())
	if !ok {
		return Workload{}, fmt.Errorf("%q is no CPU of %s: write it as Kubernetes does, such as 500m", parts[1], name)
	}
	memory, ok := quantity(parts[2], memoryUnits())
	if !ok {
		return Workload{}, fmt.Errorf("%q is no memory of %s: write it as Kubernetes does, such as 512Mi", parts[2], name)
	}
	return Workload{Name: name, Replicas: n, CPU: MilliCPU(cpu), Memory: Bytes(memory)}, nil
}

func cpuUnits() map[string]int64 { return map[string]int64{"m": 1, "": 1000} }

func memoryUnits() map[string]int64 {
	return map[string]int64{
		"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
	}
}

// quantity is a whole number above zero of the smallest unit.
func quantity(text string, units map[string]int64) (int64, bool) {
	digits := strings.TrimRight(text, "kmKMGTi")
	unit, known := units[text[len(digits):]]
	if !known || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	n, ok := new(big.Rat).SetString(digits) // of 2.01 a float has a little less
	if !ok {
		return 0, false
	}
	n.Mul(n, new(big.Rat).SetInt64(unit))
	return n.Num().Int64(), n.IsInt() && n.Sign() > 0 && n.Num().IsInt64() && n.Num().Int64() < 1<<53
}
