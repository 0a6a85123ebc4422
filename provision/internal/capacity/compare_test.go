package capacity

import (
	"slices"
	"testing"
)

// worsened are the checks of room that a change makes worse.
func worsened(before, after Inputs) (ids []string) {
	for _, c := range Worsened(Tier1(before), Tier1(after)) {
		ids = append(ids, c.ID)
	}
	return ids
}

// The first nodes are better than none, although they may be lost all at once; and the
// last is not taken away unseen.
func TestFirstNodes(t *testing.T) {
	for _, change := range []func(*Inputs){waiting(2), declares(web(8, 1000, testMiB))} {
		none, one := roomy(abc(), 0, change), roomy(abc(), 1, change)
		if got := worsened(none, one); slices.Contains(got, "headroom-cpu") || slices.Contains(got, "headroom-memory") {
			t.Errorf("the first makes worse: %v", got)
		}
		three := roomy(abc(), 3, change)
		if got := worsened(three, none); !slices.Contains(got, "headroom-cpu") || !slices.Contains(got, "headroom-memory") {
			t.Errorf("the last made no worse: %v", got)
		}
	}
}

// What is as bad on a machine that has a few bytes less is not worse.
func TestSlack(t *testing.T) {
	small := func(by int64) Inputs {
		in := roomy(abc(), 3, declares(web(200, 1, 100*testMiB)))
		for name, less := range map[string]int64{"n1": 0, "n2": by, "n3": by} {
			f := in.Hosts[name]
			f.Memory = 8*testGiB - less
			in.Hosts[name] = f
		}
		return in
	}
	if slices.Contains(worsened(small(0), small(100*testMiB)), "headroom-memory") { // one pod less on each
		t.Error("200 MiB less")
	}
	if !slices.Contains(worsened(small(0), small(200*testMiB)), "headroom-memory") {
		t.Error("400 MiB less")
	}
}
