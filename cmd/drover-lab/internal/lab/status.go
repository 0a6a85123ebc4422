package lab

import (
	"context"
	"errors"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// Status is what a lab looks like now. Its JSON form is stable: fields are added
// under the same version, never changed.
type Status struct {
	SchemaVersion int             `json:"schema_version"`
	Lab           string          `json:"lab"`
	Inventory     string          `json:"inventory"`
	Cgroups       string          `json:"cgroups"`
	Network       string          `json:"network"`
	Admin         string          `json:"admin"`
	Gateway       string          `json:"gateway"`
	MirrorURL     string          `json:"mirror_url"`
	Registry      string          `json:"registry"`
	MirrorUp      bool            `json:"mirror_up"`
	SSHConfig     string          `json:"ssh_config"`
	Machines      []MachineStatus `json:"machines"`
	Cuts          []network.Cut   `json:"cuts"`
}

// MachineStatus is one machine of a Status.
type MachineStatus struct {
	Name    string `json:"name"`
	Role    string `json:"role"`
	Address string `json:"address"`
	// State is systemd's own word as read over SSH ("running", "degraded", …),
	// "off", or "unreachable" with the reason in Error.
	State  string `json:"state"`
	Error  string `json:"error,omitempty"`
	Memory int64  `json:"memory_bytes"` // working set; 0 when off or unknown
	Rate   string `json:"rate"`         // bandwidth limit, or "none"
}

// statusLimit bounds the look at one machine.
const statusLimit = 10 * time.Second

// Status looks at the lab: at the kernel, and at each machine over SSH.
func (l Labs) Status(ctx context.Context, name string) (Status, error) {
	h, err := l.open(name)
	if err != nil {
		return Status{}, err
	}
	s := Status{
		SchemaVersion: 1, Lab: h.lab.Name, Inventory: h.lab.Inventory, Cgroups: h.tree.Version(),
		Network: h.lab.Fabric().Prefix.String(), Admin: h.lab.Admin.String(), Gateway: h.lab.Gateway.String(),
		MirrorURL: mirrorURL(h.lab), Registry: registryAddress(h.lab), MirrorUp: mirrorAnswers(ctx, h.lab) == nil,
		SSHConfig: h.dir.SSHConfig(),
		Machines:  make([]MachineStatus, len(h.lab.Machines)),
	}
	if s.Cuts, err = network.Cuts(ctx, h.lab); err != nil {
		return s, err
	}
	index := map[string]int{}
	for i, m := range h.lab.Machines {
		index[m.Name] = i
	}
	err = each(h.lab.Machines, func(m topology.Machine) (err error) {
		s.Machines[index[m.Name]], err = h.look(ctx, m)
		return err
	})
	return s, err
}

// look is one machine's status. Only this machine's own failure to look is an
// error; a machine that does not answer is a finding.
func (h handle) look(ctx context.Context, m topology.Machine) (MachineStatus, error) {
	s := MachineStatus{Name: m.Name, Role: string(m.Role), Address: m.Address().String(), State: "off"}
	rate, err := machine.Rate(h.dir, m.Name)
	if err != nil {
		return s, err
	}
	s.Rate = rate.String()
	p := h.power(m)
	on, err := p.On()
	if err != nil || !on {
		return s, err
	}
	s.Memory, err = h.tree.WorkingSet(machine.BootGroup(h.lab.Name, m.Name))
	if err != nil && !errors.Is(err, cgroup.ErrNoMemory) {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	if s.State, err = p.SystemState(ctx); err != nil {
		s.State, s.Error = "unreachable", err.Error()
	}
	return s, nil
}

// List are the names of the labs on this machine.
func (l Labs) List() ([]string, error) { return l.Root.Labs() }
