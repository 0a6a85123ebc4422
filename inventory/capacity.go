package inventory

import (
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
)

// CapacityCheck is what an inventory may say of a capacity check: to waive it every
// one, and for some which threshold is to count.
type CapacityCheck struct {
	ID   string
	Unit string // of its thresholds; none can be set when empty
	// Warn and Fail say which thresholds there are to set, Least that what falls below
	// them is what is not well.
	Warn, Fail, Least bool
}

// CapacityChecks are the capacity checks, in the order of the reference. The IDs are
// API: never renamed, never reused. A test holds the reference to this list.
func CapacityChecks() []CapacityCheck {
	return []CapacityCheck{
		{ID: "master-count"}, {ID: "quorum-domain"}, {ID: "failure-domains"},
		{ID: "service-cidr"}, {ID: "pod-blocks"}, {ID: "pod-addresses-per-host"},
		{ID: "pods-per-host", Unit: "pods", Warn: true},
		{ID: "cluster-hosts"}, {ID: "cluster-pods"},
		{ID: "mesh-size", Unit: "hosts", Warn: true, Fail: true},
		{ID: "route-reflectors"}, {ID: "bigip-sessions"}, {ID: "bigip-routes"},
		{ID: "workload-addresses"}, {ID: "workload-pods"},

		{ID: "facts-missing"},
		{ID: "master-cpu", Unit: "cores", Warn: true, Fail: true, Least: true},
		{ID: "master-memory", Unit: "MiB", Warn: true, Fail: true, Least: true},
		{ID: "node-pods"}, {ID: "node-allocatable"}, {ID: "workload-fits"},
		{ID: "headroom-cpu", Unit: "% of what is left", Warn: true},
		{ID: "headroom-memory", Unit: "% of what is left", Warn: true},
		{ID: "headroom-pods"},
		{ID: "node-disk", Unit: "% free", Warn: true, Fail: true, Least: true},
		{ID: "node-inodes", Unit: "% free", Warn: true, Fail: true, Least: true},
		{ID: "etcd-disk", Unit: "times the quota", Warn: true, Least: true},
		{ID: "node-swap"}, {ID: "node-mtu"}, {ID: "node-conntrack"},

		{ID: "etcd-fsync", Unit: "ms", Warn: true, Fail: true},
		{ID: "master-rtt", Unit: "ms", Warn: true, Fail: true},
		{ID: "host-clock", Unit: "s", Warn: true},
		{ID: "host-steal", Unit: "%", Warn: true},
	}
}

// Threshold is where a check is to warn and to FAIL; nil is drover's own.
type Threshold struct {
	Where Where    `json:"-"`
	Check string   `json:"check"`
	Warn  *float64 `json:"warn,omitempty"`
	Fail  *float64 `json:"fail,omitempty"`
}

// Threshold is what is set of a check; the zero value when nothing is.
func (c Capacity) Threshold(check string) Threshold {
	for _, t := range c.Thresholds {
		if t.Check == check {
			return t
		}
	}
	return Threshold{}
}

func capacityIDs() []string {
	var ids []string
	for _, c := range CapacityChecks() {
		ids = append(ids, c.ID)
	}
	return ids
}

func (c *Cluster) hostNames() []string {
	var names []string
	for _, h := range c.Hosts() {
		names = append(names, h.Name)
	}
	return names
}

// judgedNames are what a capacity check may be about by name.
func (c *Cluster) judgedNames() []string {
	names := c.hostNames()
	for _, f5 := range c.BigIPs {
		names = append(names, f5.Name)
	}
	for _, w := range c.Capacity.Workloads {
		names = append(names, w.Name)
	}
	return names
}

func (b *block) capacity(c *Capacity) {
	c.Where = b.where
	choice(b, "profile", &c.Profile, "lean", "standard", "large")
	number(b, "tolerate", &c.Tolerate, counts)
	choice(b, "reservation", &c.Reservation, "none", "gdc", "gke", "eks", "aks")
	names, set := map[string]diag.Range{}, map[string]diag.Range{}
	b.each(map[string]diag.Range{}, func(inner *block, _ bool) {
		switch inner.spec.kind {
		case thresholdSpec.kind:
			t := Threshold{Where: inner.where, Check: inner.name}
			inner.figure("warn", &t.Warn)
			inner.figure("fail", &t.Fail)
			b.d.unique(set, inner.spec.kind, t.Check, t.Where)
			c.Thresholds = append(c.Thresholds, t)
		case expiringWaiveSpec.kind:
			c.Waivers = append(c.Waivers, inner.waiver())
		default:
			w := Workload{Where: inner.where, Name: inner.name}
			number(inner, "replicas", &w.Replicas, counts)
			inner.cpu("cpu", &w.CPU)
			inner.memory("memory", &w.Memory)
			b.d.unique(names, inner.spec.kind, w.Name, w.Where)
			c.Workloads = append(c.Workloads, w)
		}
	})
}

// checkThresholds holds thresholds to checks that have them.
func (d *decoder) checkThresholds(thresholds []Threshold) {
	var able []string
	for _, c := range CapacityChecks() {
		if c.Unit != "" {
			able = append(able, c.ID)
		}
	}
	for _, t := range thresholds {
		all := CapacityChecks()
		i := slices.IndexFunc(all, func(c CapacityCheck) bool { return c.ID == t.Check })
		switch {
		case i < 0 && dnsLabel.MatchString(t.Check):
			d.badThreshold(t, "name", fmt.Sprintf("there is no check %q to set a threshold of", t.Check), suggest(t.Check, able))
		case i >= 0:
			d.checkThreshold(t, all[i], able)
		}
	}
}

func (d *decoder) checkThreshold(t Threshold, c CapacityCheck, able []string) {
	switch {
	case c.Unit == "":
		d.badThreshold(t, "name", fmt.Sprintf("%s has no threshold that could be set", c.ID), "waive it where it is to be borne; these have one: "+listed(able))
	case !t.Where.Written("warn") && !t.Where.Written("fail"):
		d.badThreshold(t, "name", fmt.Sprintf("threshold %q sets none", c.ID), "write warn = NUMBER or fail = NUMBER, in "+c.Unit)
	case t.Warn != nil && !c.Warn:
		d.badThreshold(t, "warn", fmt.Sprintf("%s never warns", c.ID), "write fail = NUMBER, in "+c.Unit)
	case t.Fail != nil && !c.Fail:
		d.badThreshold(t, "fail", fmt.Sprintf("%s never FAILs", c.ID), "write warn = NUMBER, in "+c.Unit)
	case t.Warn != nil && t.Fail != nil && (c.Least && *t.Warn < *t.Fail || !c.Least && *t.Warn > *t.Fail):
		d.badThreshold(t, "warn", fmt.Sprintf("%s would FAIL before it warns", c.ID), "exchange the two")
	}
}

func (d *decoder) badThreshold(t Threshold, attr, summary, fix string) {
	d.report(diag.Problem{Code: CodeThreshold, At: t.Where.At(attr).Ptr(), Summary: summary, Fix: fix})
}
