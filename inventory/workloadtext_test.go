package inventory

import "testing"

// Fractions are what they are written as, also those that no float holds.
func TestParseWorkload(t *testing.T) {
	type amounts struct {
		replicas int
		cpu      MilliCPU
		memory   Bytes
	}
	for text, want := range map[string]amounts{
		"a=1,2.01,4.1G":      {1, 2010, 4_100_000_000},
		"a=0,1.001,1.5Gi":    {0, 1001, 3 << 29},
		"a=1,0.1,.5k":        {1, 100, 500},
		"a=1,250m,1":         {1, 250, 1},
		"a=1,0.0001,1Gi":     {}, // less than 1m
		"a=1,0,1Gi":          {},
		"a=1,1,1e3":          {},
		"a=1,1,1_000":        {},
		"a=1,1/2,1Gi":        {},
		"a=1,1.2.3,1Gi":      {},
		"a=1,.,1Gi":          {},
		"a=1,,1Gi":           {},
		"a=1,1,8192Ti":       {}, // 2^53 bytes
		"a=1,1,9999999999Ti": {},
	} {
		w, err := ParseWorkload(text)
		if got := (amounts{w.Replicas, w.CPU, w.Memory}); got != want || (err == nil) != (want.cpu > 0) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
