package allocatable

const (
	mib = 1 << 20
	gib = 1 << 30
)

// googleCPU is in thousandths of a core, rounded up: what is reserved in full must
// not be promised in part.
func googleCPU(cores int64) int64 {
	// In hundred-thousandths of a core, per core of the tier.
	sum := tiers(cores, []tier{{1, 6000}, {2, 1000}, {4, 500}}, 250)
	return (sum + 99) / 100
}

func googleMemory(bytes int64) int64 {
	if bytes < gib {
		return min(bytes, 255*mib)
	}
	return tiers(bytes, []tier{{4 * gib, 25}, {8 * gib, 20}, {16 * gib, 10}, {128 * gib, 6}}, 2) / 100
}

// tier is a rate for each unit up to a bound.
type tier struct{ to, rate int64 }

// tiers sums the rates of what lies in each tier, and of the rest.
func tiers(amount int64, of []tier, rest int64) (sum int64) {
	from := int64(0)
	for _, t := range of {
		sum += max(0, min(amount, t.to)-from) * t.rate
		from = t.to
	}
	return sum + max(0, amount-from)*rest
}

// azureCPU is a table; what lies between two of its rows is taken in proportion.
func azureCPU(cores int64) int64 {
	table := []tier{{0, 0}, {1, 60}, {2, 100}, {4, 140}, {8, 180}, {16, 260}, {32, 420}, {64, 740}}
	for i := 1; i < len(table); i++ {
		low, high := table[i-1], table[i]
		if cores <= high.to {
			return low.rate + ((high.rate-low.rate)*(cores-low.to)+high.to-low.to-1)/(high.to-low.to)
		}
	}
	last := table[len(table)-1]
	return last.rate + (cores-last.to)*10 // as from 32 to 64
}
