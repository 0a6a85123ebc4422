package zebos

import (
	"fmt"
	"net/netip"
	"strings"
)

// Version renders "show version" from FRR's. It says what the lab is: nobody
// should take this output for a BIG-IP's.
func Version(frr string) string {
	first, _, _ := strings.Cut(frr, "\n")
	return fmt.Sprintf("ZebOS version 7.10.6 (drover-lab router, not a BIG-IP; runs %s)\n", strings.TrimSpace(first))
}

// InterfacesBrief renders "show ip interface brief" from FRR's "show interface json".
func InterfacesBrief(interfacesJSON []byte) (string, error) {
	var all map[string]struct {
		Admin       string `json:"administrativeStatus"`
		Operational string `json:"operationalStatus"`
		Addresses   []struct {
			Address string `json:"address"`
		} `json:"ipAddresses"`
	}
	if err := decode(interfacesJSON, &all); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Interface              IP-Address      Status                Protocol\n")
	for _, name := range sorted(all, strings.Compare) {
		i := all[name]
		addr := "unassigned"
		for _, a := range i.Addresses {
			if p, err := netip.ParsePrefix(a.Address); err == nil && p.Addr().Is4() {
				addr = p.Addr().String()
				break
			}
		}
		status := i.Admin
		if status != "up" {
			status = "administratively down"
		}
		fmt.Fprintf(&b, "%-22s %-15s %-21s %s\n", name, addr, status, i.Operational)
	}
	return b.String(), nil
}
