package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/report"
)

// Run takes everything away: the nodes first, so that while any is left there is
// an API to ask about it, and the BIG-IPs' side last.
func (r *Reset) Run(ctx context.Context, sink report.Sink) error {
	for _, role := range []inventory.Role{inventory.RoleNode, inventory.RoleMaster} {
		hosts := slices.DeleteFunc(slices.Clone(r.Hosts), func(h ResetHost) bool { return h.Role != role || h.Bare() })
		groups := [][]ResetHost{hosts}
		if !r.Whole && role == inventory.RoleMaster {
			groups = slices.Collect(slices.Chunk(hosts, 1)) // etcd changes by one member at a time
		}
		for _, group := range groups {
			errs := r.all(group, func(_ int, h ResetHost) error { return r.wipe(ctx, h, sink) })
			if err := errors.Join(errs...); err != nil {
				return err // masters stay while a node could not be reset
			}
		}
	}
	var errs []error
	for _, b := range r.BigIPs {
		if len(b.Lines) > 0 {
			errs = append(errs, r.removeNeighbors(ctx, b, sink))
		}
	}
	return errors.Join(errs...)
}

// wipe resets one host. One whose cluster goes on is first taken off etcd, while
// its member can still be asked, and its Node goes once the kubelet is silent.
func (r *Reset) wipe(ctx context.Context, h ResetHost, sink report.Sink) error {
	start := r.session.options.Now()
	if !r.Whole && h.Role == inventory.RoleMaster && r.etcd != nil {
		if err := r.leaveEtcd(ctx, h.Name); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	if err := h.host.Wipe(ctx, r.session.conns[h.Name]); err != nil {
		return err
	}
	if !r.Whole {
		if err := r.removeNode(ctx, h.Name); err != nil {
			return err
		}
	}
	r.note(sink, start, h.Name+"  reset")
	return nil
}

func (r *Reset) leaveEtcd(ctx context.Context, name string) error {
	client, err := r.etcd.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	members, err := client.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Name == name {
			return client.Remove(ctx, m.ID)
		}
	}
	return nil
}

func (r *Reset) removeNode(ctx context.Context, name string) error {
	api, err := r.session.access.API(ctx)
	if errors.Is(err, cluster.ErrNoCluster) {
		return nil
	}
	if err == nil {
		err = api.Delete(ctx, kube.Ref{Key: kube.Key{Kind: "Node", Name: name}, Version: "v1"})
	}
	if err != nil {
		return fmt.Errorf("%s was reset, but its Node object is still there: %w", name, err)
	}
	return nil
}

func (r *Reset) removeNeighbors(ctx context.Context, b ResetBigIP, sink report.Sink) error {
	start := r.session.options.Now()
	shell := r.session.conns[b.Name]
	if _, err := shell.Run(ctx, host.Cmd{
		Argv: []string{"imish", "-r", "0"}, Stdin: strings.NewReader(strings.Join(bgp.Paste(b.Lines), "\n") + "\n"),
	}); err != nil {
		return err
	}
	now, err := facts.RoutingShell(ctx, shell)
	if err != nil {
		return err
	}
	if left := bgp.Removal(now.Texts[facts.RunningConfig], bgp.Peering{Cluster: r.Cluster}); len(left) > 0 {
		return fmt.Errorf("%s: its neighbors were removed, but it still wants: %s", b.Name, strings.Join(left, ","))
	}
	r.note(sink, start, b.Name+"  neighbors removed")
	return nil
}

func (r *Reset) note(sink report.Sink, start time.Time, text string) {
	now := r.session.options.Now()
	sink.Event(report.Event{Time: now, Kind: report.Note, Text: fmt.Sprintf("%s (%s)", text, now.Sub(start).Round(10*time.Millisecond))})
}

// all does the same to hosts at once, and returns what went wrong, in their order.
func (r *Reset) all(hosts []ResetHost, do func(int, ResetHost) error) []error {
	errs := make([]error, len(hosts))
	index := map[string]int{}
	var targets []ssh.Target
	for i, h := range hosts {
		index[h.Name] = i
		targets = append(targets, ssh.Target{Name: h.Name})
	}
	r.session.each(targets, func(t ssh.Target) {
		i := index[t.Name]
		errs[i] = do(i, hosts[i])
	})
	return errs
}
