package imish

import (
	"context"
	"fmt"
	"io"

	"github.com/droverctl/drover/cmd/drover-lab/internal/zebos"
)

// runner carries steps out.
type runner struct {
	frr            FRR
	stdout, stderr io.Writer
}

// step carries one step out; it reports false when FRR refused a line.
func (r runner) step(ctx context.Context, s step) (bool, error) {
	if s.command == nil {
		return r.apply(ctx, s.config)
	}
	text, err := r.answer(ctx, *s.command)
	if err != nil {
		return false, err
	}
	if s.filter != nil {
		text = s.filter(text)
	}
	_, err = io.WriteString(r.stdout, text)
	return true, err
}

func (r runner) apply(ctx context.Context, statements []zebos.Statement) (bool, error) {
	script := zebos.NewScript(statements)
	if script.Empty() {
		return true, nil
	}
	stdout, stderr, err := r.frr.Apply(ctx, script.Text())
	if err != nil {
		return false, err
	}
	refusals := script.Refusals(stdout, stderr)
	for _, x := range refusals {
		fmt.Fprintf(r.stdout, "%% %s\n", x.Reason)
		if x.Line == 0 {
			fmt.Fprintf(r.stderr, "imish: refused: %s\n", x.Reason)
			continue
		}
		fmt.Fprintf(r.stderr, "imish: line %d: %q: refused: %s\n", x.Line, x.Text, x.Reason)
	}
	return len(refusals) == 0, nil
}

// answer is what ZebOS prints for a command.
func (r runner) answer(ctx context.Context, c zebos.Command) (string, error) {
	switch c.Verb {
	case zebos.Write:
		if err := r.frr.Save(ctx); err != nil {
			return "", err
		}
		return "Building configuration...\n[OK]\n", nil
	case zebos.ShowRunning, zebos.ShowRunningBGP:
		return r.running(ctx, c)
	case zebos.ShowVersion:
		text, err := r.frr.Show(ctx, "show version")
		return zebos.Version(text), err
	case zebos.ShowBGPSummary:
		return r.render(ctx, func(docs ...[]byte) (string, error) { return zebos.BGPSummary(docs[0], docs[1]) },
			"show ip bgp summary json", "show ip bgp json")
	case zebos.ShowBGPNeighbors:
		return r.render(ctx, one(zebos.BGPNeighbors), "show ip bgp neighbors "+spaced(c.Target)+"json")
	case zebos.ShowBGPNeighborRoutes:
		return r.render(ctx, one(zebos.BGPTable), "show ip bgp neighbors "+c.Target+" routes json")
	case zebos.ShowBGP:
		if c.Target == "" {
			return r.render(ctx, one(zebos.BGPTable), "show ip bgp json")
		}
		return r.render(ctx, one(zebos.BGPEntry), "show ip bgp "+c.Target+" json")
	case zebos.ShowRoutes:
		return r.render(ctx, func(docs ...[]byte) (string, error) { return zebos.Routes(docs[0], c.Target) }, "show ip route json")
	case zebos.ShowRoute:
		return r.render(ctx, one(zebos.RouteDetail), "show ip route "+c.Target+" json")
	case zebos.ShowInterfaces:
		return r.render(ctx, one(zebos.InterfacesBrief), "show interface json")
	}
	return "", nil // mode changes have happened while reading
}

func (r runner) running(ctx context.Context, c zebos.Command) (string, error) {
	text, err := r.frr.Show(ctx, "show running-config")
	if err != nil {
		return "", err
	}
	running := zebos.ParseRunning(text)
	for _, u := range running.Unknown {
		fmt.Fprintf(r.stderr, "imish: FRR holds a line ZebOS has no form for: %q\n", u)
	}
	if c.Verb == zebos.ShowRunningBGP {
		return "!\n" + running.BGP(), nil
	}
	return running.String(), nil
}

// render asks FRR and puts its answers into ZebOS's words.
func (r runner) render(ctx context.Context, as func(docs ...[]byte) (string, error), commands ...string) (string, error) {
	var docs [][]byte
	for _, c := range commands {
		text, err := r.frr.Show(ctx, c)
		if err != nil {
			return "", err
		}
		docs = append(docs, []byte(text))
	}
	return as(docs...)
}

func one(f func([]byte) (string, error)) func(docs ...[]byte) (string, error) {
	return func(docs ...[]byte) (string, error) { return f(docs[0]) }
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return s + " "
}
