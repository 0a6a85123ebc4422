package capacity

import (
	"fmt"
	"slices"
	"time"

	"github.com/droverctl/drover/inventory"
)

// Measured is what was measured on a host. What is zero was not.
type Measured struct {
	// Fsync is how long 99 of 100 writes to the disk of etcd's data took at most.
	Fsync  time.Duration
	Writes int
	// RTT is how long 99 of 100 packets to the farthest other master took at most, and
	// Peer which that is; Lost those of all packets that were not answered.
	RTT        time.Duration
	Peer       string
	Sent, Lost int
	// NoFsync and NoRTT are why that was not measured which was to be; Silent are the
	// masters that answered no packet.
	NoFsync, NoRTT string
	Silent         []string

	ClockSeen   bool
	ClockOffset time.Duration // from the clock here
	ClockError  time.Duration // within which the offset is
	StealSeen   bool
	Steal       float64 // percent
}

// Tier2 is every check that takes measurements, in a fixed order.
func Tier2(c *inventory.Cluster, measured map[string]Measured) []Check {
	in := Inputs{Cluster: c, Hosts: map[string]HostFacts{}}
	for name := range measured {
		in.Hosts[name] = HostFacts{}
	}
	of := func(judge func(h inventory.Host, m Measured) (verdict, bool)) func(inventory.Host, HostFacts) (verdict, bool) {
		return func(h inventory.Host, _ HostFacts) (verdict, bool) { return judge(h, measured[h.Name]) }
	}
	return slices.Concat(
		in.perHost("etcd-fsync", c.KubeMasters, of(etcdFsync(c))),
		in.perHost("master-rtt", c.KubeMasters, of(masterRTT(c))),
		in.perHost("host-clock", c.Hosts(), of(hostClock(c))),
		in.perHost("host-steal", c.Hosts(), of(hostSteal(c))),
	)
}

type judge = func(inventory.Host, Measured) (verdict, bool)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// from grades what must not come up to a number.
func from(n, warn, fail float64) Status {
	switch {
	case n >= fail:
		return Fail
	case n >= warn:
		return Warn
	}
	return Pass
}

// unmeasured is what is told when the measurement failed: it passes no more than it fails.
func (v verdict) unmeasured(why string) verdict {
	v.status, v.measured = Warn, "not measured: "+why
	v.fix = "see why it could not be measured, then judge again"
	return v
}

// etcdFsync: each commit waits for the disks of more than half of the masters.
func etcdFsync(c *inventory.Cluster) judge {
	warn, fail := limits(c, "etcd-fsync", 10, 20)
	return func(_ inventory.Host, m Measured) (verdict, bool) {
		v := verdict{
			status:    from(ms(m.Fsync), warn, fail),
			measured:  fmt.Sprintf("99%% of %d writes took at most %s ms", m.Writes, figure(ms(m.Fsync))),
			threshold: fmt.Sprintf("less than %s ms, FAIL from %s ms", figure(warn), figure(fail)),
			fix:       "give etcd's data (/var/lib/etcd) a disk of its own with a write cache that survives a loss of power",
			near:      -ms(m.Fsync),
		}
		if m.NoFsync != "" {
			return v.unmeasured(m.NoFsync), true
		}
		return v, m.Writes > 0
	}
}

// masterRTT: each commit takes a way there and back, and an election several.
func masterRTT(c *inventory.Cluster) judge {
	warn, fail := limits(c, "master-rtt", 10, 50)
	return func(_ inventory.Host, m Measured) (verdict, bool) {
		v := verdict{
			status:    from(ms(m.RTT), warn, fail),
			measured:  fmt.Sprintf("99%% of %d packets took at most %s ms to %s and back", m.Sent-m.Lost, figure(ms(m.RTT)), m.Peer),
			threshold: fmt.Sprintf("less than %s ms, FAIL from %s ms", figure(warn), figure(fail)),
			fix:       "bring the masters nearer to each other, or look what is in the way (mtr)",
			near:      -ms(m.RTT),
		}
		if m.Lost > 0 {
			v.measured += fmt.Sprintf("; %d of %d were not answered", m.Lost, m.Sent)
			v.status = worse(v.status, Warn)
		}
		switch {
		case m.NoRTT != "":
			return v.unmeasured(m.NoRTT), true
		case m.Sent > 0 && m.Sent == m.Lost:
			v = v.unmeasured(fmt.Sprintf("none of %d packets was answered", m.Sent))
		}
		if len(m.Silent) > 0 {
			v.measured += "; none by " + some(m.Silent)
			v.status = worse(v.status, Warn)
		}
		return v, m.Sent > 0
	}
}

// hostClock judges what is certain of the offset.
func hostClock(c *inventory.Cluster) judge {
	warn, _ := limits(c, "host-clock", 1, 0)
	return func(_ inventory.Host, m Measured) (verdict, bool) {
		certain := max(0, (m.ClockOffset.Abs() - m.ClockError).Seconds())
		return verdict{
			status:    grade(certain, warn, certain),
			measured:  fmt.Sprintf("%s ± %s s from the clock here", figure(m.ClockOffset.Seconds()), figure(m.ClockError.Seconds())),
			threshold: figure(warn) + " s",
			fix:       "have it keep the time: `timedatectl set-ntp true`, or look why `chronyc tracking` is not well",
			near:      -certain,
		}, m.ClockSeen
	}
}

// hostSteal: a hypervisor that gives away a machine's processors.
func hostSteal(c *inventory.Cluster) judge {
	warn, _ := limits(c, "host-steal", 5, 0)
	return func(_ inventory.Host, m Measured) (verdict, bool) {
		return verdict{
			status:    grade(m.Steal, warn, m.Steal),
			measured:  figure(m.Steal) + "% of its processors went to others",
			threshold: figure(warn) + "%",
			fix:       "give the machine processors of its own on the hypervisor, or fewer neighbours",
			near:      -m.Steal,
		}, m.StealSeen
	}
}

func tier2Rules() []Rule {
	return []Rule{
		{
			ID: "etcd-fsync", Tier: 2, Judges: "the disk of etcd's data",
			Formula: "p99 of 200 synchronous writes of 2300 bytes (fdatasync), or of those that are made in 30 s", Threshold: "WARN from 10 ms and when it could not be measured, FAIL from 20 ms",
			Source:  "etcd's hardware guide and kURL (10 ms); 20 ms is drover's",
			Example: "99% of 200 writes took at most 14 ms: 14 ≥ 10: WARN",
		}, {
			ID: "master-rtt", Tier: 2, Judges: "the network between masters",
			Formula: "p99 of the time to the farthest other master and back", Threshold: "WARN from 10 ms, when packets are lost and when it could not be measured, FAIL from 50 ms",
			Source:  "OpenShift's requirement of control planes (50 ms); etcd's heartbeat of 100 ms is 0.5 to 1.5 × the time",
			Example: "99% of 20 packets took at most 62 ms: 62 ≥ 50: FAIL",
		}, {
			ID: "host-clock", Tier: 2, Judges: "a host's clock",
			Formula: "|offset from the clock here| − the error of that", Threshold: "WARN above 1 s",
			Source:  "etcd warns of peers' clocks above 1 s",
			Example: "2.5 ± 0.5 s: 2 > 1: WARN",
		}, {
			ID: "host-steal", Tier: 2, Judges: "what a hypervisor takes of a machine's processors",
			Formula: "steal / all ticks of /proc/stat while it was measured", Threshold: "WARN above 5%",
			Source:  "drover",
			Example: "30 of 400 ticks: 7.5% > 5%: WARN",
		},
	}
}
