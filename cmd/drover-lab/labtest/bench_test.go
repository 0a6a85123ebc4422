package labtest

import (
	"math"
	"testing"
	"time"
)

// BenchmarkUpAndDown takes the demo's lab up and down, with all it is made of
// cached: three masters, two nodes, two routers and their clients.
func BenchmarkUpAndDown(b *testing.B) {
	suite.Need(b)
	l := benchLab
	inventory := l.full(b)
	b.Cleanup(func() { l.Run(b, "down") }) // for when it fails half-way
	l.Must(b, "up", inventory)             // what the cache lacks is made now
	l.Must(b, "down")
	var up, down, worst time.Duration
	var memory int64
	machines, rounds := 0, 0
	for b.Loop() {
		u := l.Run(b, "up", inventory)
		if u.Code != 0 {
			b.Fatal(u)
		}
		for _, m := range l.healthy(b).Machines {
			memory += m.Memory
			machines++
		}
		d := l.Run(b, "down")
		if d.Code != 0 {
			b.Fatal(d)
		}
		b.Logf("up %s, down %s", u.Took.Round(time.Millisecond), d.Took.Round(time.Millisecond))
		up, down, worst = up+u.Took, down+d.Took, max(worst, u.Took)
		rounds++
	}
	b.ReportMetric(0, "ns/op") // up and down are told apart below
	b.ReportMetric(up.Seconds()/float64(rounds), "up-s")
	b.ReportMetric(worst.Seconds(), "up-worst-s")
	b.ReportMetric(down.Seconds()/float64(rounds), "down-s")
	b.ReportMetric(math.Round(float64(memory)/float64(machines)/(1<<20)*10)/10, "idle-MiB/machine")
}

// BenchmarkUpAgain runs up over a lab that is whole.
func BenchmarkUpAgain(b *testing.B) {
	suite.Need(b)
	l := benchLab
	inventory := l.full(b)
	b.Cleanup(func() { l.Run(b, "down") })
	l.Must(b, "up", inventory)
	for b.Loop() {
		l.Must(b, "up", inventory)
	}
}
