package view_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision/plan"
)

// A plan for thousands of hosts reads like one for three: what is the same on many
// is said once, and who differs is still told apart.
func TestPlanOfManyHosts(t *testing.T) {
	const hosts = 5000
	p := plan.Plan{SchemaVersion: 1, Cluster: "c1"}
	add := func(host, kind, name string, a plan.Action, reason string) {
		p.Changes = append(p.Changes, plan.Change{Item: plan.Item{ID: plan.NewID(host, kind, name)}, Action: a, Reason: reason})
	}
	for n := range hosts {
		host := fmt.Sprintf("kube-node-%d", n+1)
		if n == 17 {
			add(host, "file", "/etc/a", plan.Create, "absent")
			continue
		}
		add(host, "sysctl", "kubernetes", plan.Update, "net.ipv4.ip_forward is 0, not 1")
		add(host, "unit", "kubelet.service", plan.Update, fmt.Sprintf("inputs is sha256:%012x, not sha256:%012x", n, n+1))
	}
	for n := range hosts {
		add("cluster", "node", fmt.Sprintf("kube-node-%d", n+1), plan.Create, "absent")
		if n%1000 == 0 {
			add("cluster", "object", fmt.Sprintf("ConfigMap c%d", n), plan.Create, "absent")
		}
	}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Plan(p, view.Text); err != nil {
		t.Fatal(err)
	}
	want := `kube-node-1, kube-node-2, kube-node-3 and 4996 more hosts, each
  ~ sysctl:kubernetes: net.ipv4.ip_forward is 0, not 1
  ~ unit:kubelet.service: inputs is sha256:…, not sha256:…
kube-node-18
  + file:/etc/a
cluster
  + node:kube-node-1, kube-node-2, kube-node-3 and 4997 more
  + object:ConfigMap c0
  + object:ConfigMap c1000
  + object:ConfigMap c2000
  + object:ConfigMap c3000
  + object:ConfigMap c4000

5006 to create, 9998 to update; 0 of 15004 things are as the inventory says.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	p.Changes = p.Changes[:8]
	out.Reset()
	if err := (view.View{Out: &out}).Plan(p, view.Text); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 14 {
		t.Errorf("four hosts are shown one by one, in %d lines:\n%s", lines, out.String())
	}
}
