package cluster

import (
	"context"
	"sync"

	"github.com/droverctl/drover/provision/internal/kube"
)

// glance is what a cluster has told of one moment.
type glance struct {
	of *Access

	mu   sync.Mutex
	told map[string]func() (any, error)
}

// Glance is the same way to the cluster for looking at many things at one moment:
// what is told of all of them at once is asked for once, whoever needs it. What it
// told stays as it was; whoever waits or changes something looks with the Access
// itself.
func (a *Access) Glance() *Access {
	a = a.root()
	return &Access{Masters: a.Masters, Port: a.Port, Bundle: a.Bundle, Now: a.Now, glance: &glance{of: a, told: map[string]func() (any, error){}}}
}

// root is the Access that a glance is of.
func (a *Access) root() *Access {
	if a.glance != nil {
		return a.glance.of
	}
	return a
}

// recall asks, or tells what the answer was in this glance.
func recall[T any](a *Access, what string, ask func() (T, error)) (T, error) {
	g := a.glance
	if g == nil {
		return ask()
	}
	g.mu.Lock()
	once := g.told[what]
	if once == nil {
		once = sync.OnceValues(func() (any, error) {
			v, err := ask()
			return v, err
		})
		g.told[what] = once
	}
	g.mu.Unlock()
	v, err := once()
	return v.(T), err
}

// Recall asks a cluster something of all of it. In a glance the answer is what it
// was when it was first asked under that name; else it is a new one, for which all
// who ask at the same time wait together.
func Recall[T any](ctx context.Context, a *Access, what string, ask func(context.Context, *kube.Client) (T, error)) (T, error) {
	var none T
	api, err := a.API(ctx)
	if err != nil {
		return none, err
	}
	if a.glance != nil {
		return recall(a, what, func() (T, error) { return ask(ctx, api) })
	}
	v, err := a.asked.together(ctx, what, func(ctx context.Context) (any, error) { return ask(ctx, api) })
	if err != nil {
		return none, err
	}
	return v.(T), nil
}

// NodesReady is nil when every node named is Ready.
func (a *Access) NodesReady(ctx context.Context, names ...string) error {
	if a.glance == nil { // they may be few
		api, err := a.API(ctx)
		if err != nil {
			return err
		}
		return api.NodesReady(ctx, names...)
	}
	nodes, err := a.allNodes(ctx)
	if err != nil {
		return err
	}
	return nodes.Ready(names...)
}

// ObserveNode compares a Node with what is wanted of it.
func (a *Access) ObserveNode(ctx context.Context, want kube.Node) (kube.Observation, error) {
	if a.glance == nil { // one alone
		api, err := a.API(ctx)
		if err != nil {
			return kube.Observation{}, err
		}
		return api.ObserveNodes(ctx, []kube.Node{want})[want.Name], nil
	}
	nodes, err := a.allNodes(ctx)
	if err != nil {
		return kube.Observation{}, err
	}
	return nodes.Observe(want), nil
}

// Unproven reports whether a node that drover has made still waits for its proof, and
// whether service addresses are kept from it until then.
func (a *Access) Unproven(ctx context.Context, name string) (unproven, aside bool, err error) {
	var nodes kube.Nodes
	if a.glance == nil { // one alone
		api, err := a.API(ctx)
		if err != nil {
			return false, false, err
		}
		nodes, err = api.One(ctx, name)
		return nodes.Unproven(name), nodes.Aside(name), err
	}
	nodes, err = a.allNodes(ctx)
	return nodes.Unproven(name), nodes.Aside(name), err
}

// States are all nodes.
func (a *Access) States(ctx context.Context) ([]kube.NodeState, error) {
	nodes, err := a.allNodes(ctx)
	return nodes.States(), err
}

func (a *Access) allNodes(ctx context.Context) (kube.Nodes, error) {
	return Recall(ctx, a, "nodes", func(ctx context.Context, api *kube.Client) (kube.Nodes, error) { return api.Nodes(ctx) })
}
