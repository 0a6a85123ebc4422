package network

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// Rate is a bandwidth in bits per second; 0 is unlimited.
type Rate int64

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,8})(kbit|mbit|gbit)$`)

// ParseRate reads "50mbit" (also kbit, gbit) or "none".
func ParseRate(s string) (Rate, error) {
	if s == "none" {
		return 0, nil
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("rate %q: want a number and kbit, mbit or gbit, as in 50mbit, or none", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("rate %q: %w", s, err)
	}
	unit := map[string]int64{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}[m[2]]
	if rate := n * unit; rate >= 8e3 && rate <= 100e9 {
		return Rate(rate), nil
	}
	return 0, fmt.Errorf("rate %q: want 8kbit to 100gbit", s)
}

func (r Rate) String() string {
	switch {
	case r == 0:
		return "none"
	case r%1e9 == 0:
		return fmt.Sprintf("%dgbit", r/1e9)
	case r%1e6 == 0:
		return fmt.Sprintf("%dmbit", r/1e6)
	default:
		return fmt.Sprintf("%dkbit", r/1e3)
	}
}

// queueing is the token bucket for a rate: 20 ms worth of burst, which is more
// than a timer tick at any HZ and too little to show in a transfer of a second;
// 100 ms of queue, as a switch's port has.
func (r Rate) queueing() string {
	burst := max(int64(r)/8/50, 16*1024)
	return fmt.Sprintf("tbf rate %dbit burst %d latency 100ms", int64(r), burst)
}

// Shape limits what a party sends and receives, each to the rate.
func Shape(ctx context.Context, lab topology.Lab, party string, rate Rate) error {
	ports, err := partyPorts(lab, party)
	if err != nil {
		return err
	}
	var errs []error
	for n, port := range ports {
		// What leaves the bridge by the port is what the party receives.
		errs = append(errs, setQueue(ctx, fabricNS(lab.Name), port, rate))
		ns, link := Namespace(lab.Name, party), "eth"+strconv.Itoa(n)
		if party == topology.Admin {
			ns, link = "", topology.AdminLink(lab.Name)
		}
		errs = append(errs, setQueue(ctx, ns, link, rate))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shape %s: %w", party, err)
	}
	return nil
}

func setQueue(ctx context.Context, namespace, link string, rate Rate) error {
	args := []string{"qdisc", "replace", "dev", link, "root"}
	if rate == 0 {
		args = append(args, "noqueue") // what a veth has of its own
	} else {
		args = append(args, strings.Fields(rate.queueing())...)
	}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	_, err := run(ctx, "", "tc", args...)
	return err
}
