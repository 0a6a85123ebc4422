package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/trust"
)

// CapacitySummary is what a cluster has and takes, in numbers.
type CapacitySummary = capacity.Summary

// The parts of a summary.
type (
	CapacityAddresses = capacity.Addresses
	CapacityDomain    = capacity.Domain
	CapacityPeering   = capacity.Peering
	CapacityRoom      = capacity.Room
)

// CapacityReport is what a cluster can hold, judged up to a tier.
type CapacityReport struct {
	Cluster *inventory.Cluster // as it is supposed to be
	Tier    int
	// Supposed is what is supposed of it, a sentence each.
	Supposed []string
	Growth   *CapacityGrowth // nil without kube-nodes
	Summary  CapacitySummary
	Checks   []CapacityCheck
	// Notes are what is wrong with waivers.
	Notes diag.Problems
	// Away are the hosts that could not be asked, and why; Warnings what else was not.
	Away     map[string]error
	Warnings []string
}

// CapacityFit is what finds a place.
type CapacityFit = capacity.FitSummary

// CapacityWorkloadFit is what finds a place of one workload.
type CapacityWorkloadFit = capacity.WorkloadFit

// CapacityGrowth is how many nodes can be added until something runs out.
type CapacityGrowth = capacity.Growth

// CapacityLimit is how many nodes a check bears.
type CapacityLimit = capacity.Limit

// CapacityWhatIf is what is supposed of a cluster before it is judged.
type CapacityWhatIf = capacity.WhatIf

// CapacityTask is how far capacity is judged.
type CapacityTask struct {
	// Tier 0 asks no host; 1 asks each what it is, and the cluster, where there is one,
	// what its pods ask for; 2 measures.
	Tier int
	// Live has the disks of etcds measured that are in use.
	Live bool
	// WhatIf is what is supposed of the cluster; it has to be one that is not refused.
	WhatIf CapacityWhatIf
}

// TakeCapacity judges an inventory's cluster. It only looks, but for a file that is
// written, and gone again, where tier 2 measures a disk.
func TakeCapacity(ctx context.Context, c *inventory.Cluster, o Options, task CapacityTask) CapacityReport {
	s := begin(c, o)
	defer s.Close()
	out := CapacityReport{Tier: task.Tier, Away: map[string]error{}, Supposed: task.WhatIf.Supposed(c)}
	in := capacity.Inputs{Cluster: c}
	var v Survey
	if task.Tier > 0 {
		v = s.surveyAll(ctx)
		out.Warnings = s.capacityFacts(ctx, &in, v)
	}
	in = task.WhatIf.Suppose(in)
	for _, name := range in.Away {
		out.Away[name] = v.Away[name]
	}
	out.Cluster, out.Checks = in.Cluster, capacity.Tier0Of(in)
	fits := capacity.Fits{}
	if task.Tier > 0 {
		fits = capacity.Place(in)
		out.Checks = append(out.Checks, capacity.Tier1Of(in, fits)...)
	}
	if task.Tier > 1 {
		measured, warnings := s.measure(ctx, v, task.Live)
		out.Warnings = append(out.Warnings, warnings...)
		out.Checks = append(out.Checks, capacity.Tier2(in.Cluster, measured)...)
	}
	out.Summary, out.Growth = capacity.Summarize(in, fits), capacity.Grow(in, task.WhatIf.Like)
	judged := capacity.UpToTier(task.Tier)
	out.Checks, out.Notes = capacity.Waive(out.Checks, in.Cluster, s.options.Now(), func(id string) bool {
		return judged(id) && len(v.Away) == 0 && task.WhatIf.Nothing()
	})
	c.Quote(out.Notes)
	return out
}

// capacityFacts adds what hosts are and, where there is a cluster, what runs there, and
// returns what could not be told.
func (s *Session) capacityFacts(ctx context.Context, in *capacity.Inputs, v Survey) []string {
	in.Hosts, in.Away = map[string]capacity.HostFacts{}, slices.Sorted(maps.Keys(v.Away))
	hosts := map[string]inventory.Host{}
	for _, h := range s.Cluster.Hosts() {
		hosts[h.Name] = h
	}
	for _, f := range v.Facts {
		in.Hosts[f.Host] = hostFacts(hosts[f.Host], f)
	}
	load, err := s.loadOf(ctx, v.Facts)
	if err != nil {
		return []string{unasked(err)}
	}
	if load == nil {
		return nil
	}
	return running(in, *load)
}

func unasked(err error) string {
	return fmt.Sprintf("the cluster could not be asked what its pods ask for, so only what the inventory declares is counted: %v", err)
}

// loadOf is what runs in the cluster that masters are members of; nil when none is.
func (s *Session) loadOf(ctx context.Context, facts []Facts) (*kube.Load, error) {
	var last error
	for _, f := range facts {
		conn := s.conns[f.Host]
		if !f.Drove.Member || conn == nil || hostOf(s.Cluster, f.Host).Role != inventory.RoleMaster {
			continue
		}
		keys, err := trust.Read(ctx, conn)
		if err != nil {
			last = err
			continue
		}
		access := s.wayBy(keys, s.conns)
		access.Open()
		defer access.Close()
		api, err := access.API(ctx)
		if err != nil {
			return nil, err
		}
		load, err := api.Load(ctx)
		return &load, err
	}
	return nil, last
}

// running adds what runs, and what the cluster knows of hosts.
func running(in *capacity.Inputs, load kube.Load) (warnings []string) {
	in.Running = amount(load.Asked())
	placed, rules := load.Placed(), load.Rules()
	in.Pods = placed.Workloads
	if n := len(placed.Loose); n > 0 {
		text := strings.Join(placed.Loose[:min(n, 5)], ", ")
		if n > 5 {
			text += fmt.Sprintf(" and %d more", n-5)
		}
		warnings = append(warnings, "what fits is told without the affinities that these workloads require, which only the scheduler knows: "+text)
	}
	in.RunningOn = map[string]capacity.Amount{}
	for name, a := range load.AskedOn() {
		in.RunningOn[name] = *amount(a)
	}
	in.HeldOn = map[string]capacity.Amount{}
	for name, a := range load.HeldOn() {
		in.HeldOn[name] = *amount(a)
	}
	var silent []string
	for name, r := range load.Rooms() {
		f := in.Hosts[name]
		if f.Silent = r.Silent; r.Silent && hostOf(in.Cluster, name).Name != "" {
			silent = append(silent, name)
		}
		f.Huge = r.Huge
		f.Allocatable = amount(r.Allocatable)
		if f.CPUs == 0 { // nobody asked the host
			f.CPUs, f.Memory = int(r.Capacity.CPU/1000), r.Capacity.Memory
		}
		f.Node = &capacity.LiveNode{Labels: rules[name].Labels, Taints: rules[name].Taints, Cordoned: rules[name].Cordoned, Taken: placed.Fixed[name]}
		in.Hosts[name] = f
	}
	if slices.Sort(silent); len(silent) > 0 {
		warnings = append(warnings, "no pod can be on nodes that the cluster does not hear of, so there is no room on them: "+strings.Join(silent, ", "))
	}
	return warnings
}

func amount(a kube.Amount) *capacity.Amount {
	return &capacity.Amount{CPU: inventory.MilliCPU(a.CPU), Memory: inventory.Bytes(a.Memory)}
}

func hostOf(c *inventory.Cluster, name string) inventory.Host {
	for _, h := range c.Hosts() {
		if h.Name == name {
			return h
		}
	}
	return inventory.Host{}
}

// hostFacts is what of a survey capacity is judged by.
func hostFacts(h inventory.Host, f Facts) capacity.HostFacts {
	out := capacity.HostFacts{CPUs: f.CPUs, Memory: f.Memory, Surveyed: true, Swap: f.Swap, Conntrack: f.Conntrack}
	for _, i := range f.Interfaces {
		for _, a := range i.Addresses {
			if a.Addr() == h.Address {
				out.MTU = i.MTU
			}
		}
	}
	for _, d := range f.Disks {
		out.Disks = append(out.Disks, capacity.Disk{
			Path: d.Path, Mount: d.Mount, Source: d.Source, Size: d.Size, Free: d.Free, Inodes: d.Inodes, InodesFree: d.InodesFree,
		})
	}
	return out
}
