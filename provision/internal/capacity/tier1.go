package capacity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// Tier1 is every check that takes what the hosts are, and what runs, in a fixed order.
func Tier1(in Inputs) []Check { return Tier1Of(in, Place(in)) }

// Tier1Of is Tier1 for whoever has asked already what fits.
func Tier1Of(in Inputs, fits Fits) []Check {
	in = in.heard()
	return slices.Concat(
		factsMissing(in),
		masterCPU(in),
		masterMemory(in),
		nodePods(in),
		nodeAllocatable(in),
		workloadFits(in, fits),
		headroom(in, fits),
		headroomPods(in, fits),
		nodeDisk(in),
		nodeInodes(in),
		etcdDisk(in),
		nodeSwap(in),
		nodeMTU(in),
		nodeConntrack(in),
	)
}

// factsMissing: "could not look" is no PASS.
func factsMissing(in Inputs) []Check {
	if len(in.Away) == 0 {
		return nil
	}
	return []Check{Check{
		ID: "facts-missing", At: in.Cluster.Where.Block.Ptr(),
		Measured:  fmt.Sprintf("%s could not be asked: %s", count(len(in.Away), "host"), some(in.Away)),
		Threshold: "0",
	}.judged(Warn, "make them reachable; until then nothing is known of what they can hold")}
}

// verdict is what a check makes of one host.
type verdict struct {
	status              Status
	measured, threshold string
	fix                 string
	// near is how far from its threshold the host is: of those that pass, the one with
	// the least is told of.
	near float64
	at   *diag.Range
}

// perHost judges hosts one by one. Each that does not pass is a check of its own; all
// others are one, which tells of the one that came nearest. judge says false where
// nothing is known.
func (in Inputs) perHost(id string, hosts []inventory.Host, judge func(inventory.Host, HostFacts) (verdict, bool)) []Check {
	var bad []Check
	var nearest verdict
	var on string
	passed := 0
	for _, h := range hosts {
		f, ok := in.Hosts[h.Name]
		if !ok {
			continue
		}
		v, ok := judge(h, f)
		if !ok {
			continue
		}
		if v.at == nil {
			v.at = h.Where.Block.Ptr()
		}
		if v.status != Pass {
			bad = append(bad, Check{ID: id, Subject: h.Name, At: v.at, Measured: v.measured, Threshold: v.threshold, weight: -v.near}.judged(v.status, v.fix))
			continue
		}
		if passed++; passed == 1 || v.near < nearest.near {
			nearest, on = v, h.Name
		}
	}
	if passed == 0 {
		return bad
	}
	measured := fmt.Sprintf("%s on %s", nearest.measured, on)
	if passed > 1 {
		measured += fmt.Sprintf(", the nearest of %d hosts", passed)
	}
	return append(bad, Check{ID: id, At: nearest.at, Measured: measured, Threshold: nearest.threshold}.judged(Pass, ""))
}

// least grades what must not fall below.
func least[T int64 | float64](n, warn, fail T) Status {
	switch {
	case n < fail:
		return Fail
	case n < warn:
		return Warn
	}
	return Pass
}

// some names the first few of many.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// size is a size in bytes as people say it.
func size(n int64) string {
	if n == 0 {
		return "0"
	}
	if n < 0 {
		return "-" + size(-n)
	}
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
