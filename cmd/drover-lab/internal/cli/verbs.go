package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/lab"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
)

func (a *app) down() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove a lab whole: processes, mounts, namespaces, cgroups, files",
		Long:  `down removes a lab whole, also one whose up was killed half-way. The cache stays.`,
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			labs := a.labs()
			name, err := labs.Find(a.lab)
			if err != nil {
				return err
			}
			return labs.Down(c.Context(), name)
		},
	}
}

func (a *app) power() *cobra.Command {
	return &cobra.Command{
		Use:   "power on|off|kill HOST…",
		Short: "Switch machines on, shut them down, or pull their plug",
		Args:  args(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, given []string) error {
			verb := lab.Power(given[0])
			switch verb {
			case lab.PowerOn, lab.PowerOff, lab.PowerKill:
			default:
				return usageError{fmt.Errorf("power %q: want on, off or kill", given[0])}
			}
			return a.labs().Power(c.Context(), a.lab, verb, given[1:])
		},
	}
}

func (a *app) cut() *cobra.Command {
	return &cobra.Command{
		Use:   "cut A [B]",
		Short: "Interrupt the network between two parties, or between one and all",
		Long: `cut interrupts the network between two parties: machines, routers, clients, or
admin (this machine), gateway and mirror. Without B it separates A from all.`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, given []string) error {
			return a.labs().Cut(c.Context(), a.lab, given[0], second(given))
		},
	}
}

func (a *app) heal() *cobra.Command {
	return &cobra.Command{
		Use:   "heal A [B]",
		Short: "Undo a cut; without B, every cut that A is in",
		Args:  args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, given []string) error {
			return a.labs().Heal(c.Context(), a.lab, given[0], second(given))
		},
	}
}

// second is the other party of a cut, everyone by default.
func second(given []string) string {
	if len(given) == 2 {
		return given[1]
	}
	return network.Everyone
}

func (a *app) shape() *cobra.Command {
	var rate string
	c := &cobra.Command{
		Use:     "shape HOST --rate RATE",
		Short:   "Limit a party's bandwidth, both ways, also over power cycles",
		Example: "  drover-lab shape kube-node-1 --rate 50mbit\n  drover-lab shape kube-node-1 --rate none",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			r, err := network.ParseRate(rate)
			if err != nil {
				return usageError{err}
			}
			return a.labs().Shape(c.Context(), a.lab, given[0], r)
		},
	}
	c.Flags().StringVar(&rate, "rate", "", "bandwidth, as in 50mbit (kbit, gbit), or none (required)")
	return c
}

func (a *app) status() *cobra.Command {
	var output string
	var all bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a lab: its machines, what they use, cuts and limits",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("-o %s: want table or json", output)}
			}
			labs := a.labs()
			names := []string{a.lab}
			if all {
				var err error
				if names, err = labs.List(); err != nil {
					return err
				}
			}
			for _, name := range names {
				s, err := labs.Status(c.Context(), name)
				if err != nil {
					return err
				}
				if err := a.showStatus(s, output); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	c.Flags().BoolVar(&all, "all", false, "show every lab of this machine")
	return c
}

func (a *app) showStatus(s lab.Status, output string) error {
	if output == "json" {
		e := json.NewEncoder(a.streams.Out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	mirror := "down: run `drover-lab up` again"
	if s.MirrorUp {
		mirror = s.MirrorURL + ", registry " + s.Registry
	}
	fmt.Fprintf(a.streams.Out, "lab %s on %s (cgroup %s)\nmirror %s\n\n", s.Lab, s.Network, s.Cgroups, mirror)
	w := tabwriter.NewWriter(a.streams.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tADDRESS\tSTATE\tMEMORY\tRATE")
	for _, m := range s.Machines {
		memory := "-"
		if m.Memory > 0 {
			memory = fmt.Sprintf("%d MiB", m.Memory>>20)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Role, m.Address, m.State, memory, m.Rate)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var cuts []string
	for _, c := range s.Cuts {
		cuts = append(cuts, strings.Replace(c.A+" from "+c.B, network.Everyone, "all", 1))
	}
	if len(cuts) > 0 {
		fmt.Fprintf(a.streams.Out, "\ncut: %s\n", strings.Join(cuts, ", "))
	}
	return nil
}
