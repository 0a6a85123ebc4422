package imish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/zebos"
)

// mode is where imish's prompt stands.
type mode int

const (
	view mode = iota
	enabled
	configuring
)

// reader turns lines into steps. It follows the modes, and asks FRR for its
// configuration when the first configuration line needs it.
type reader struct {
	frr    FRR
	mode   mode
	parser *zebos.Parser // while configuring
	left   bool          // the last exit left imish
}

// step is either configuration to apply or a command to run.
type step struct {
	config  []zebos.Statement
	command *zebos.Command
	filter  filter
}

// read takes line n. A line without effect is the zero step.
func (r *reader) read(ctx context.Context, n int, line string) (step, error) {
	line = strings.TrimRight(line, "\r\n")
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || trimmed[0] == '!' || trimmed[0] == '#' {
		return step{}, nil
	}
	if trimmed == "end" {
		r.mode = min(r.mode, enabled)
		return step{}, nil
	}
	if r.mode == configuring {
		return r.configure(ctx, n, line)
	}
	return r.exec(n, line)
}

func (r *reader) configure(ctx context.Context, n int, line string) (step, error) {
	if r.parser == nil {
		text, err := r.frr.Show(ctx, "show running-config")
		if err != nil {
			return step{}, err
		}
		r.parser = zebos.NewParser(zebos.ParseRunning(text).State)
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "do "); ok {
		return r.exec(n, rest)
	}
	s, err := r.parser.Parse(n, line)
	if err == nil {
		return step{config: []zebos.Statement{s}}, nil
	}
	// What configuration does not know may be one of the few commands ZebOS
	// takes in every mode.
	if c, execErr := zebos.ParseExec(n, line, true); execErr == nil {
		switch c.Verb {
		case zebos.Exit:
			if !r.parser.Leave() {
				r.mode = enabled
			}
			return step{}, nil
		case zebos.Enable, zebos.Configure: // F5's scripts begin so, wherever they are run
			return step{}, nil
		case zebos.Write, zebos.ShowRunning, zebos.ShowRunningBGP:
			return step{command: &c}, nil
		}
	}
	return step{}, err
}

func (r *reader) exec(n int, line string) (step, error) {
	command, f, err := parseFilter(n, line)
	if err != nil {
		return step{}, err
	}
	c, err := zebos.ParseExec(n, command, r.mode != view)
	if err != nil {
		return step{}, err
	}
	switch c.Verb {
	case zebos.Enable:
		r.mode = max(r.mode, enabled)
	case zebos.Disable:
		r.mode = view
	case zebos.Configure:
		r.mode = configuring
		if r.parser != nil {
			r.parser.Top()
		}
	case zebos.Exit:
		r.left = true
	case zebos.TerminalLength:
	default:
		return step{command: &c, filter: f}, nil
	}
	return step{}, nil
}

// plan reads a whole batch. Every bad line is reported, not only the first.
func (r *reader) plan(ctx context.Context, lines []string) ([]step, error) {
	var steps []step
	var bad []error
	for i, line := range lines {
		s, err := r.read(ctx, i+1, line)
		var wrong *zebos.LineError
		switch {
		case errors.As(err, &wrong):
			bad = append(bad, err)
			continue
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if last := len(steps) - 1; s.config != nil && last >= 0 && steps[last].command == nil {
			steps[last].config = append(steps[last].config, s.config...)
		} else if s.config != nil || s.command != nil {
			steps = append(steps, s)
		}
		if r.left {
			break
		}
	}
	return slices.Clip(steps), errors.Join(bad...)
}
