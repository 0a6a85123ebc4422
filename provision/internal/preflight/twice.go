package preflight

import (
	"fmt"

	"github.com/droverctl/drover/provision/internal/survey"
)

// What must be a host's own.

// twice tells of hosts that have the same of something. One that is judged is told
// of; of two, the later. value is empty where a host is not to be compared.
func (r round) twice(value func(s subject) string, other func(Identity) string, tell func(s subject, value, first string) Finding) []Finding {
	judged := map[string]subject{}
	for _, s := range r.hosts {
		judged[s.Name] = s
	}
	first := map[string]string{} // value to host
	var all []Finding
	for _, h := range r.Cluster.Hosts() {
		s, isJudged := judged[h.Name]
		var v string
		if isJudged {
			v = value(s)
		} else {
			v = other(r.Others[h.Name])
		}
		if v == "" {
			continue
		}
		before, taken := first[v]
		if !taken {
			first[v] = h.Name
			continue
		}
		if !isJudged { // then the earlier one may be
			if s, isJudged = judged[before]; !isJudged {
				continue
			}
			before = h.Name
		}
		f := tell(s, v, before)
		f.Host = s.Name
		all = append(all, f)
	}
	return all
}

// incomparable is for what is known of judged hosts alone.
func incomparable(Identity) string { return "" }

const twinFix = "check that both addresses in the inventory are right; if they are, one machine was copied from the other: "

func machineIDTwice(r round) []Finding {
	return r.twice(
		func(s subject) string { return s.facts.MachineID },
		func(i Identity) string { return i.MachineID },
		func(_ subject, id, first string) Finding {
			return Finding{
				Severity: Fail, Measured: id, Wanted: "a machine-id of its own",
				Text: fmt.Sprintf("its machine-id %s is also that of %s: they are copies of one machine, or one machine with two addresses", id, first),
				Fix:  twinFix + "remove /etc/machine-id and /var/lib/dbus/machine-id there, run systemd-machine-id-setup, and reboot",
			}
		})
}

// productUUIDTwice compares machines. Containers that see their machine's UUID and
// share its boot tell nothing by it.
func productUUIDTwice(r round) []Finding {
	boots := map[string]string{}
	for _, s := range r.hosts {
		boots[s.Name] = s.facts.BootID
	}
	var all []Finding
	for _, f := range r.twice(
		func(s subject) string { return s.facts.ProductUUID },
		incomparable,
		func(s subject, id, first string) Finding {
			if s.facts.BootID != "" && s.facts.BootID == boots[first] {
				return Finding{}
			}
			return Finding{
				Severity: Fail, Measured: id, Wanted: "a product UUID of its own",
				Text: fmt.Sprintf("its product UUID %s is also that of %s: they are copies of one virtual machine", id, first),
				Fix:  twinFix + "have the hypervisor give it a UUID of its own",
			}
		}) {
		if f.Text != "" {
			all = append(all, f)
		}
	}
	return all
}

func macTwice(r round) []Finding {
	return r.twice(
		func(s subject) string {
			i, _ := s.ownInterface()
			return i.MAC
		},
		incomparable,
		func(s subject, mac, first string) Finding {
			i, _ := s.ownInterface()
			return Finding{
				Severity: Fail, Measured: mac, Wanted: "a MAC address of its own",
				Text: fmt.Sprintf("its interface %s has the MAC address %s, which is also that of %s: a switch delivers what is for one to either", i.Name, mac, first),
				Fix:  twinFix + "give its interface another MAC address",
				At:   s.Where.At("address").Ptr(),
			}
		})
}

func hostnameTwice(r round) []Finding {
	return r.twice(
		func(s subject) string { return s.facts.Hostname },
		func(i Identity) string { return i.Hostname },
		func(s subject, name, first string) Finding {
			return Finding{
				Severity: Warn, Measured: name, Wanted: "a host name of its own",
				Text: fmt.Sprintf("its host name %s is also that of %s: logs and Puppet would take one for the other", name, first),
				Fix:  fmt.Sprintf("`hostnamectl set-hostname %s` there", s.Name),
			}
		})
}

// ownInterface is the one that has the address the inventory gives.
func (s subject) ownInterface() (survey.Interface, bool) {
	for _, i := range s.facts.Interfaces {
		for _, a := range i.Addresses {
			if a.Addr() == s.Address {
				return i, true
			}
		}
	}
	return survey.Interface{}, false
}
