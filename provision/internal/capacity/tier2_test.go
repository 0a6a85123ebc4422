package capacity

import (
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
)

// row2 is what tier 2 is given of the first master, and what a check makes of it.
type row2 struct {
	name string
	m    Measured
	set  *inventory.Threshold
	id   string
	want Status // "": no such check
}

func tier2Rows() []row2 {
	fsync := func(d time.Duration) Measured { return Measured{Fsync: d, Writes: 200} }
	rtt := func(d time.Duration, lost int) Measured { return Measured{RTT: d, Peer: "m2", Sent: 20, Lost: lost} }
	clock := func(offset, err time.Duration) Measured {
		return Measured{ClockSeen: true, ClockOffset: offset, ClockError: err}
	}
	steal := func(f float64) Measured { return Measured{StealSeen: true, Steal: f} }
	num := func(f float64) *float64 { return &f }
	return []row2{
		{"not measured", Measured{}, nil, "etcd-fsync", ""},
		{"9.99 ms < 10", fsync(9990 * time.Microsecond), nil, "etcd-fsync", Pass},
		{"10 ms = 10", fsync(10 * time.Millisecond), nil, "etcd-fsync", Warn},
		{"19.99 ms < 20", fsync(19990 * time.Microsecond), nil, "etcd-fsync", Warn},
		{"20 ms = 20", fsync(20 * time.Millisecond), nil, "etcd-fsync", Fail},
		{"20 ms < 25 as is set", fsync(20 * time.Millisecond), &inventory.Threshold{Check: "etcd-fsync", Warn: num(25), Fail: num(50)}, "etcd-fsync", Pass},

		{"1 write of 31 s", Measured{Fsync: 31 * time.Second, Writes: 1}, nil, "etcd-fsync", Fail},
		{"it failed", Measured{NoFsync: "no reason"}, nil, "etcd-fsync", Warn},

		{"nobody to ask", Measured{}, nil, "master-rtt", ""},
		{"20 of 20 lost", rtt(0, 20), nil, "master-rtt", Warn},
		{"it failed", Measured{NoRTT: "no reason"}, nil, "master-rtt", Warn},
		{"9.99 ms < 10", rtt(9990*time.Microsecond, 0), nil, "master-rtt", Pass},
		{"10 ms = 10", rtt(10*time.Millisecond, 0), nil, "master-rtt", Warn},
		{"49.99 ms < 50", rtt(49990*time.Microsecond, 0), nil, "master-rtt", Warn},
		{"50 ms = 50", rtt(50*time.Millisecond, 0), nil, "master-rtt", Fail},
		{"1 of 20 lost", rtt(time.Millisecond, 1), nil, "master-rtt", Warn},
		{"1 of 20 lost, and 50 ms", rtt(50*time.Millisecond, 1), nil, "master-rtt", Fail},

		{"not asked", Measured{}, nil, "host-clock", ""},
		{"1 s = 1", clock(time.Second, 0), nil, "host-clock", Pass},
		{"1.01 s > 1", clock(1010*time.Millisecond, 0), nil, "host-clock", Warn},
		{"behind by 1.01 s > 1", clock(-1010*time.Millisecond, 0), nil, "host-clock", Warn},
		{"1.5 s - 0.5 s = 1", clock(1500*time.Millisecond, 500*time.Millisecond), nil, "host-clock", Pass},

		{"not told", Measured{}, nil, "host-steal", ""},
		{"5% = 5", steal(5), nil, "host-steal", Pass},
		{"5.01% > 5", steal(5.01), nil, "host-steal", Warn},
	}
}

// Every threshold of tier 2: at it, below and above.
func TestTier2Thresholds(t *testing.T) {
	for _, test := range tier2Rows() {
		t.Run(test.id+"/"+test.name, func(t *testing.T) {
			c := sized(abc(), 1)
			if test.set != nil {
				c.Capacity.Thresholds = []inventory.Threshold{*test.set}
			}
			got := Status("")
			for _, check := range Tier2(c, map[string]Measured{"m1": test.m}) {
				checkFields(t, check)
				if check.ID == test.id {
					got = check.Status
				}
			}
			if got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

// Of what was not measured the reason is told, and who of several did not answer.
func TestWhatWasNotMeasuredIsTold(t *testing.T) {
	for want, m := range map[string]Measured{
		"not measured: it has no ping":                                                               {NoRTT: "it has no ping"},
		"not measured: none of 40 packets was answered; none by m2, m3":                              {Sent: 40, Lost: 40, Silent: []string{"m2", "m3"}},
		"99% of 20 packets took at most 1 ms to m2 and back; 20 of 40 were not answered; none by m3": {RTT: time.Millisecond, Peer: "m2", Sent: 40, Lost: 20, Silent: []string{"m3"}},
	} {
		checks := Tier2(sized(abc(), 1), map[string]Measured{"m1": m})
		if len(checks) != 1 || checks[0].ID != "master-rtt" || checks[0].Status != Warn || checks[0].Measured != want {
			t.Errorf("%+v, not %q", checks, want)
		}
	}
}
