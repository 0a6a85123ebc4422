package provision

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/removal"
)

// Objection is why nodes must not be taken out of service as it was asked.
type Objection struct {
	What     string
	Override string // the flag that does so all the same; none when empty
	Err      error  // what it comes of; may be nil
}

func (o Objection) String() string {
	if o.Override == "" {
		return o.What
	}
	return fmt.Sprintf("%s (%s does so all the same)", o.What, o.Override)
}

// ObjectionsError is a run that must not be begun.
type ObjectionsError struct {
	Verb       NodeVerb
	Objections []Objection
}

func (e *ObjectionsError) Error() string {
	words := map[NodeVerb]string{NodeDrain: "not drained", NodeReplace: "not replaced"}
	lines := []string{cmp.Or(words[e.Verb], "not removed") + ", and nothing was touched:"}
	for _, o := range e.Objections {
		lines = append(lines, "  "+o.String())
	}
	return strings.Join(lines, "\n")
}

// Unwrap are the errors that objections come of.
func (e *ObjectionsError) Unwrap() []error {
	var errs []error
	for _, o := range e.Objections {
		if o.Err != nil {
			errs = append(errs, o.Err)
		}
	}
	return errs
}

// Objections are why the run must not be begun, as far as can be told before.
func (s *Session) Objections(ctx context.Context) ([]Objection, error) {
	t := s.options.Nodes
	if t.Verb != NodeDrain && !t.removes() && t.Verb != NodeReplace {
		return nil, nil
	}
	api, err := s.access.API(ctx)
	if err != nil {
		return nil, err
	}
	load, err := api.Load(ctx)
	if err != nil {
		return nil, err
	}
	var out []Objection
	alive := t.Names
	if t.Verb != NodeDrain {
		away, living := s.unreachable(load)
		out, alive = append(out, away...), living
	}
	switch {
	case t.removes():
		out = append(out, s.noRoom(load, t.Names)...)
	case t.Verb == NodeReplace && t.InWaves && len(s.waves(load)) > 1: // one after the other they have room
	case t.Verb == NodeReplace && len(alive) > 0: // what the dead have had is theirs no more
		out = append(out, s.noRoom(load, alive)...)
	}
	if !t.Drain.DisableEviction {
		for _, text := range load.Blocked(alive...) {
			out = append(out, Objection{What: text, Override: "--disable-eviction"})
		}
	}
	pods, err := api.Leaving(ctx, alive...)
	if err != nil {
		return nil, err
	}
	for _, o := range t.Drain.Obstacles(pods) {
		out = append(out, Objection{What: o.What, Override: o.Override})
	}
	return out, nil
}

// unreachable objects to nodes whose hosts cannot be reached, and tells which nodes
// live: on those that do not nothing can be asked to go.
func (s *Session) unreachable(load kube.Load) (out []Objection, alive []string) {
	for _, n := range s.leaving {
		why := s.Away[n.On()]
		if why != nil {
			out = append(out, Objection{
				What:     fmt.Sprintf("%s cannot be reached, so what drover made there would stay: %v", n.On(), why),
				Override: "--unreachable", Err: why,
			})
		}
		switch speaks := !n.Reached && load.Speaks(n.Name); {
		case speaks && n.Former != nil:
			out = append(out, Objection{What: spoken(n)})
			continue
		case speaks && why == nil: // else that it cannot be reached is told already
			out = append(out, Objection{What: livesUnreached(n.Name, s.gone[n.Name])})
		}
		if n.Reached || load.Speaks(n.Name) {
			alive = append(alive, n.Name)
		}
	}
	return out, alive
}

// livesUnreached is why a node is not removed whose host drover cannot reach, but which
// the cluster hears of: it would run on with all it has.
func livesUnreached(name string, why error) string {
	text := fmt.Sprintf("%s is not dead: the cluster hears of it, and its kubelet, its keys and what Calico made would stay in use there", name)
	if why != nil {
		text += fmt.Sprintf(" (%v)", why)
	}
	return text + ". Make it reachable, so that it is reset; or power it off, and wait until its Node is not heard of"
}

// noRoom objects when what runs on nodes would find no place.
func (s *Session) noRoom(load kube.Load, names []string) []Objection {
	t := s.options.Nodes
	if t.WithoutRoom {
		return nil
	}
	var out []Objection
	if missing := load.WithoutRoom(names...); len(missing) > 0 {
		const most = 10
		text := strings.Join(missing[:min(len(missing), most)], ", ")
		if more := len(missing) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, Objection{What: "by what they ask for, these pods would find no room: " + text, Override: "--without-room"})
	}
	announces := func(n removal.Node) bool { return !n.Master && !n.Ended }
	if slices.ContainsFunc(s.leaving, announces) && !load.Serves(names...) {
		out = append(out, Objection{What: "no other kube-node is Ready and takes pods, so nothing would announce the services", Override: "--without-room"})
	}
	return out
}
