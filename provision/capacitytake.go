package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	Cluster *inventory.Cluster
	Tier    int
	Summary CapacitySummary
	Checks  []CapacityCheck
	// Notes are what is wrong with waivers.
	Notes diag.Problems
	// Away are the hosts that could not be asked, and why; Warnings what else was not.
	Away     map[string]error
	Warnings []string
}

// CapacityTask is how far capacity is judged.
type CapacityTask struct {
	// Tier 0 asks no host; 1 asks each what it is, and the cluster, where there is one,
	// what its pods ask for; 2 measures.
	Tier int
	// Live has the disks of etcds measured that are in use.
	Live bool
}

// TakeCapacity judges an inventory's cluster. It only looks, but for a file that is
// written, and gone again, where tier 2 measures a disk.
func TakeCapacity(ctx context.Context, c *inventory.Cluster, o Options, task CapacityTask) CapacityReport {
	tier := task.Tier
	s := begin(c, o)
	defer s.Close()
	out := CapacityReport{Cluster: c, Tier: tier, Away: map[string]error{}}
	in := capacity.Inputs{Cluster: c}
	out.Checks = capacity.Tier0(c)
	if tier > 0 {
		v := s.surveyAll(ctx)
		in.Hosts = map[string]capacity.HostFacts{}
		for _, f := range v.Facts {
			in.Hosts[f.Host] = hostFacts(hostOf(c, f.Host), f)
		}
		out.Away, in.Away = v.Away, slices.Sorted(maps.Keys(v.Away))
		if load, err := s.loadOf(ctx, v.Facts); err != nil {
			out.Warnings = append(out.Warnings, unasked(err))
		} else if load != nil {
			running(&in, *load)
		}
		out.Checks = append(out.Checks, capacity.Tier1(in)...)
		if tier > 1 {
			measured, warnings := s.measure(ctx, v, task.Live)
			out.Warnings = append(out.Warnings, warnings...)
			out.Checks = append(out.Checks, capacity.Tier2(c, measured)...)
		}
	}
	out.Summary = capacity.Summarize(in)
	judged := capacity.UpToTier(tier)
	out.Checks, out.Notes = capacity.Waive(out.Checks, c, s.options.Now(), func(id string) bool { return judged(id) && len(out.Away) == 0 })
	c.Quote(out.Notes)
	return out
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
func running(in *capacity.Inputs, load kube.Load) {
	moving, perNode := load.Asked()
	in.Running, in.PerHost = amount(moving), amount(perNode)
	in.RunningOn = map[string]capacity.Amount{}
	for name, a := range load.AskedOn() {
		in.RunningOn[name] = *amount(a)
	}
	for name, r := range load.Rooms() {
		f := in.Hosts[name]
		f.Allocatable = amount(r.Allocatable)
		if f.CPUs == 0 { // nobody asked the host
			f.CPUs, f.Memory = int(r.Capacity.CPU/1000), r.Capacity.Memory
		}
		in.Hosts[name] = f
	}
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
