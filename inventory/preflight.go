package inventory

import (
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
)

// Preflight is what is known to stand in the way on hosts, and is borne.
type Preflight struct {
	Where   Where    `json:"-"`
	Waivers []Waiver `json:"waivers,omitempty"`
}

// Waiver says that what a check finds is borne, and why.
type Waiver struct {
	Where  Where    `json:"-"`
	Check  string   `json:"check"`
	Hosts  []string `json:"hosts,omitempty"` // all when empty
	Reason string   `json:"reason"`
	// Expires is the last day on which it counts; none when empty.
	Expires Date `json:"expires,omitempty"`
}

// Covers reports whether the waiver is of this check on this host.
func (w Waiver) Covers(check, host string) bool {
	return w.Check == check && (len(w.Hosts) == 0 || slices.Contains(w.Hosts, host))
}

// Waiver is the one that covers a check on a host, if there is one.
func (p Preflight) Waiver(check, host string) (Waiver, bool) {
	for _, w := range p.Waivers {
		if w.Covers(check, host) {
			return w, true
		}
	}
	return Waiver{}, false
}

// Packages says whether packages of the OS that hosts lack may be installed. Else
// the preflight names them.
type Packages struct {
	Where   Where `json:"-"`
	Install bool  `json:"install"`
}

// PreflightChecks are the IDs of the checks of hosts, which is what waivers name.
// They are API: never renamed, never reused. A test holds the checks to this list.
var PreflightChecks = []string{
	"address-absent", "arch", "ca-ends", "cgroup-v1", "clock-offset", "disk-free", "dns-broken",
	"foreign-cluster", "foreign-cni", "foreign-etcd", "foreign-etcd-data", "foreign-kubelet", "foreign-kubernetes", "foreign-runtime",
	"hostname-twice", "inodes-free", "kernel-feature", "mac-twice", "machine-id-twice", "mtu-differs",
	"network-overlap", "os-unproven", "package-missing", "port-taken", "port-unreachable", "product-uuid-twice", "puppet-managed", "read-only", "swap-on",
}

func (b *block) preflight(p *Preflight) {
	p.Where = b.where
	b.each(map[string]diag.Range{}, func(inner *block, _ bool) { p.Waivers = append(p.Waivers, inner.waiver()) })
}

func (b *block) waiver() Waiver {
	w := Waiver{Where: b.where, Check: b.name}
	if list, ok := b.texts("hosts"); ok {
		if len(list) == 0 {
			b.empty("hosts", b.where.At("hosts"))
		}
		w.Hosts = list
	}
	b.text("reason", &w.Reason)
	b.date("expires", &w.Expires)
	return w
}

// checkWaivers holds waivers to checks and hosts there are: one that is misspelt
// would waive nothing, and be found out on the day it is needed.
func (d *decoder) checkWaivers(waivers []Waiver, checks, hosts []string) {
	for i, w := range waivers {
		if !slices.Contains(checks, w.Check) && dnsLabel.MatchString(w.Check) {
			d.report(diag.Problem{
				Code: CodeWaiver, At: w.Where.At("name").Ptr(),
				Summary: fmt.Sprintf("there is no check %q to waive", w.Check), Fix: suggest(w.Check, checks),
			})
		}
		for j, name := range w.Hosts {
			if near := nearest(name, hosts); !slices.Contains(hosts, name) && (near != "" || !d.incomplete) {
				d.report(diag.Problem{
					Code: CodeWaiver, At: w.Where.AtElement("hosts", j).Ptr(),
					Summary: fmt.Sprintf("%s is waived for %q, but there is no such host", w.Check, name), Fix: suggest(name, hosts),
				})
			}
		}
		d.waivedTwice(w, waivers[:i])
	}
}

// waivedTwice reports a waiver whose reason would never be shown.
func (d *decoder) waivedTwice(w Waiver, before []Waiver) {
	for _, b := range before {
		shared := slices.ContainsFunc(w.Hosts, func(h string) bool { return slices.Contains(b.Hosts, h) })
		if b.Check != w.Check || !shared && len(b.Hosts) > 0 && len(w.Hosts) > 0 {
			continue
		}
		d.report(diag.Problem{
			Code: CodeWaiver, At: w.Where.At("name").Ptr(),
			Summary: fmt.Sprintf("%s is waived twice for the same hosts", w.Check),
			Detail:  fmt.Sprintf("The first one is at %s.", b.Where.At("name")),
			Fix:     "give each host one reason",
		})
		return
	}
}
