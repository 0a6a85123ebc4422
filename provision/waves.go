package provision

import (
	"context"
	"slices"

	"github.com/droverctl/drover/provision/internal/kube"
)

// Waves are the nodes to be replaced in the parts in which they can be out of service at
// once: what runs on those of a part finds room on all others, by what it asks for. They
// are one part when all can, when it was said to do without room, and when one can not
// even be alone: then there is an objection to it, and nothing is begun.
func (s *Session) Waves(ctx context.Context) ([][]string, error) {
	t := s.options.Nodes
	if t.Verb != NodeReplace || len(t.Names) < 2 {
		return [][]string{t.Names}, nil
	}
	api, err := s.access.API(ctx)
	if err != nil {
		return nil, err
	}
	load, err := api.Load(ctx)
	if err != nil {
		return nil, err
	}
	return s.waves(load), nil
}

func (s *Session) waves(load kube.Load) [][]string {
	return waves(s.options.Nodes.Names, func(names []string) bool { return s.fits(load, names) })
}

// fits reports whether nodes can be out of service at once. What the dead have had is
// theirs no more.
func (s *Session) fits(load kube.Load, names []string) bool {
	alive := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !load.Speaks(name) })
	return len(alive) == 0 || len(s.noRoom(load, alive)) == 0
}

// waves are parts of names that fit, as few as their order lets there be.
func waves(names []string, fit func([]string) bool) [][]string {
	var out [][]string
	for _, name := range names {
		if !fit([]string{name}) {
			return [][]string{names}
		}
		last := len(out) - 1
		if last >= 0 && fit(append(slices.Clone(out[last]), name)) {
			out[last] = append(out[last], name)
			continue
		}
		out = append(out, []string{name})
	}
	return out
}
