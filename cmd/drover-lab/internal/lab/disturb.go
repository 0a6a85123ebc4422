package lab

import (
	"context"

	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
)

// Cut interrupts the network between two parties, or between one and all when
// the second is network.Everyone.
func (l Labs) Cut(ctx context.Context, name, a, b string) error {
	h, done, err := l.change(ctx, name, "cut")
	if err != nil {
		return err
	}
	defer done()
	return network.Cut{A: a, B: b}.Apply(ctx, h.lab)
}

// Heal undoes a Cut of the same parties; with network.Everyone it undoes every
// cut the first party is in.
func (l Labs) Heal(ctx context.Context, name, a, b string) error {
	h, done, err := l.change(ctx, name, "heal")
	if err != nil {
		return err
	}
	defer done()
	if b != network.Everyone {
		return network.Cut{A: a, B: b}.Heal(ctx, h.lab)
	}
	cuts, err := network.Cuts(ctx, h.lab)
	if err != nil {
		return err
	}
	for _, c := range append(cuts, network.Cut{A: a, B: b}) {
		if c.A != a && c.B != a {
			continue
		}
		if err := c.Heal(ctx, h.lab); err != nil {
			return err
		}
	}
	return nil
}

// Shape limits the bandwidth of a party, both ways; it holds over power cycles.
func (l Labs) Shape(ctx context.Context, name, party string, rate network.Rate) error {
	h, done, err := l.change(ctx, name, "shape")
	if err != nil {
		return err
	}
	defer done()
	if m, ok := h.lab.Machine(party); ok {
		on, err := h.power(m).On()
		if err != nil {
			return err
		}
		if !on { // it has no links to limit until it is switched on
			return machine.SaveRate(h.dir, party, rate)
		}
	}
	if err := network.Shape(ctx, h.lab, party, rate); err != nil {
		return err
	}
	return machine.SaveRate(h.dir, party, rate)
}
