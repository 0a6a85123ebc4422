package puppetdb

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Hosts asks for the hosts of a cluster, by their certificates, with the facts that
// paths lead to; hosts that PuppetDB has deactivated or that are expired are among
// them. others are asked how they are as well, whatever cluster they are of. at is
// PuppetDB's time.
func (c *Client) Hosts(ctx context.Context, cluster string, paths, others []string) (nodes []Node, statuses map[string]Status, at time.Time, err error) {
	fields := []string{"certname", "timestamp", "trusted.extensions", "facts.ssh"}
	for _, p := range paths {
		if top := topOf(p); !slices.Contains(fields, top) {
			fields = append(fields, top)
		}
	}
	query := []any{"extract", fields, []any{"and",
		[]any{"=", "trusted.extensions.pp_cluster", cluster},
		[]any{"=", "node_state", "any"}}}
	at, err = c.ask(ctx, "inventory", query, func(raw json.RawMessage) error {
		n, err := readNode(raw)
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return nil, nil, at, err
	}
	names := slices.Clone(others)
	for _, n := range nodes {
		names = append(names, n.Certname)
	}
	statuses = map[string]Status{}
	slices.Sort(names)
	for some := range slices.Chunk(slices.Compact(names), namesAtOnce) {
		query := []any{"and", oneOf(some), []any{"=", "node_state", "any"}}
		if _, err := c.ask(ctx, "nodes", query, func(raw json.RawMessage) error {
			name, s, err := readStatus(raw)
			statuses[name] = s
			return err
		}); err != nil {
			return nil, nil, at, err
		}
	}
	for i := range nodes {
		nodes[i].Status = statuses[nodes[i].Certname]
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Certname, b.Certname) })
	return nodes, statuses, at, nil
}

// namesAtOnce is how many names a query may have.
const namesAtOnce = 1000

func oneOf(names []string) []any { return []any{"in", "certname", []any{"array", names}} }

// topOf is the fact that a path begins with; of the extensions there is but one.
func topOf(path string) string {
	parts := strings.SplitN(path, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// Keys asks for the SSH host keys of hosts that are active, by certname. Of a host
// that is not among the answers PuppetDB has no facts, or does not take it for active.
func (c *Client) Keys(ctx context.Context, certnames []string) (map[string]HostKeys, error) {
	all := map[string]HostKeys{}
	for some := range slices.Chunk(certnames, namesAtOnce) {
		var nodes []Node
		query := []any{"extract", []string{"certname", "timestamp", "facts.ssh"}, []any{"and", oneOf(some), []any{"=", "node_state", "active"}}}
		at, err := c.ask(ctx, "inventory", query, func(raw json.RawMessage) error {
			n, err := readNode(raw)
			nodes = append(nodes, n)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			all[n.Certname] = HostKeys{Keys: n.Keys(), Age: at.Sub(n.FactsAt)}
		}
	}
	return all, nil
}
