package measure

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
)

//go:embed measure.sh
var script string

// marker begins a section's line. It is long enough not to be met by chance.
const marker = "@@drover-measure@@ "

// limit is how long it may take: writes to a disk that is slow, and pings that nobody
// answers.
const limit = 2 * time.Minute

// writing is how long writes are begun for: of a disk that takes longer for all of them
// those are judged that were made, else the worst disks would not be.
const writing = 30 * time.Second

// Pings is how many packets each peer is sent.
const Pings = 20

// Scope is what to measure besides what others take of the processors.
type Scope struct {
	Writes int // to the disk of etcd's data; 0 is none
	Live   bool
	Peers  []netip.Addr
}

// Figures are what was measured.
type Figures struct {
	// Writes are how long each write took; none where Live says that an etcd runs. Slow
	// says that there was not the time for all of them, and Unwritten what kept them from
	// being made.
	Writes    []time.Duration
	Live      bool
	Slow      bool
	Unwritten string
	// Pings are how long each packet took there and back, by peer; NoPing says that the
	// host has no ping.
	Pings  map[netip.Addr][]time.Duration
	NoPing bool
	// Steal is what of the processors others took, in percent; negative when it was not
	// told.
	Steal float64
}

// Script is the shell script that measures.
func (s Scope) Script() string {
	var b strings.Builder
	b.WriteString("# drover measure\necho\nexport LC_ALL=C\nPATH=$PATH:/usr/sbin:/sbin\n") // an sh may have begun a line
	writes, anyway, peers := "", "", []string{}
	if s.Writes > 0 {
		writes = strconv.Itoa(s.Writes)
	}
	if s.Live {
		anyway = "yes"
	}
	for _, p := range s.Peers {
		peers = append(peers, p.String())
	}
	for _, v := range [][2]string{{"marker", marker}, {"writes", writes}, {"seconds", strconv.Itoa(int(writing / time.Second))}, {"anyway", anyway}, {"peers", strings.Join(peers, " ")}, {"pings", strconv.Itoa(Pings)}, {"data", manifests.EtcdDataDir}} {
		fmt.Fprintf(&b, "%s=%s\n", v[0], host.Quote(v[1]))
	}
	return b.String() + script
}

// Take measures a host.
func Take(ctx context.Context, h host.Reader, s Scope) (Figures, error) {
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(s.Script()), Limit: limit})
	if err != nil {
		return Figures{}, err
	}
	if res.Exit != 0 {
		return Figures{}, fmt.Errorf("%s: measuring the host: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	f, err := parse(string(res.Stdout))
	if err != nil {
		return Figures{}, fmt.Errorf("%s: measuring the host: %w", h.Name(), err)
	}
	if n := len(f.Writes); s.Writes > 0 && !f.Live && n != s.Writes && (n == 0 || !f.Slow) {
		f.Unwritten = fmt.Sprintf("%d of %d writes to the disk of %s were made", n, s.Writes, manifests.EtcdDataDir)
		f.Writes = nil
	}
	return f, nil
}

// parse reads what the script told; an output without its end is an error.
func parse(out string) (Figures, error) {
	f := Figures{Pings: map[netip.Addr][]time.Duration{}, Steal: -1}
	var before, after []uint64
	ended := false
	for _, part := range strings.Split("\n"+out, "\n"+marker)[1:] {
		name, body, _ := strings.Cut(part, "\n")
		name, of, _ := strings.Cut(name, " ")
		switch name {
		case "before":
			before = ticks(body)
		case "after":
			after = ticks(body)
		case "live":
			f.Live = true
		case "slow":
			f.Slow = true
		case "noping":
			f.NoPing = true
		case "writes":
			f.Writes = times(body, "copied, ", time.Second)
		case "ping":
			peer, err := netip.ParseAddr(of)
			if err != nil {
				return f, err
			}
			f.Pings[peer] = times(body, "time=", time.Millisecond)
		case "end":
			ended = true
		default:
			return f, fmt.Errorf("no section %q", name)
		}
	}
	if !ended {
		return f, errors.New("its answer ended before its end")
	}
	f.Steal = steal(before, after)
	return f, nil
}

// times are the numbers behind a word, one a line.
func times(body, word string, unit time.Duration) []time.Duration {
	var out []time.Duration
	for line := range strings.Lines(body) {
		_, rest, ok := strings.Cut(line, word)
		words := strings.Fields(rest)
		if !ok || len(words) == 0 {
			continue
		}
		if n, err := strconv.ParseFloat(words[0], 64); err == nil {
			out = append(out, time.Duration(n*float64(unit)))
		}
	}
	return out
}

// ticks are the numbers of /proc/stat's first line: user, nice, system, idle, iowait,
// irq, softirq, steal and more.
func ticks(body string) []uint64 {
	var out []uint64
	words := strings.Fields(body)
	for _, w := range words[min(1, len(words)):] {
		n, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// steal is the eighth's share of the first eight: guests' time is within the others.
func steal(before, after []uint64) float64 {
	const at = 7
	if len(before) <= at || len(after) <= at {
		return -1
	}
	var all uint64
	for i := range at + 1 {
		all += after[i] - before[i]
	}
	if all == 0 || after[at] < before[at] {
		return -1
	}
	return 100 * float64(after[at]-before[at]) / float64(all)
}

// Percentile is the time that so many of a hundred do not exceed; 0 of none.
func Percentile(all []time.Duration, p int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min((len(sorted)*p+99)/100, len(sorted))-1]
}
