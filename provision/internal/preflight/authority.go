package preflight

import (
	"time"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/pki"
)

// caEnds tells of authorities that end: nothing renews them, and all that they
// signed ends with them.
func caEnds(r round) []Finding {
	var all []Finding
	for _, h := range r.Cluster.Hosts() {
		for _, ca := range r.Authorities[h.Name] {
			for _, p := range pki.Lifetime(ca, r.Now) {
				f := Finding{
					Host: h.Name, Severity: Fail, Measured: ca.NotAfter.UTC().Format(time.DateOnly), Wanted: "an end that is far away",
					Text: p.Summary + ". " + p.Detail, Fix: p.Fix, At: h.Where.Block.Ptr(),
				}
				if p.Severity == diag.Warning {
					f.Severity = Warn
				}
				all = append(all, f)
			}
		}
	}
	return all
}
