package labtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// knownAtAddresses is a file like the lab's known_hosts that knows machines by each
// other's names and by their addresses as well: they change places.
func (c *cluster) knownAtAddresses(t *testing.T, machines ...string) string {
	t.Helper()
	known, err := os.ReadFile(filepath.Join(stateDir, c.Name, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(machines)
	for _, m := range machines {
		names = append(names, c.address(m))
	}
	text := string(known)
	for line := range strings.Lines(string(known)) {
		called, key, _ := strings.Cut(line, " ")
		if slices.ContainsFunc(machines, func(m string) bool { return slices.Contains(strings.Split(called, ","), m) }) {
			text += strings.Join(names, ",") + " " + key
		}
	}
	path := filepath.Join(labkit.WorkDir(), c.Name+".known_hosts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nothingOf: neither the cluster nor a router knows the node.
func (c *cluster) nothingOf(t *testing.T, name string) {
	t.Helper()
	if r := c.tryKubectl(t, "", "get", "node", name); r.Code == 0 || !strings.Contains(r.Stderr, "NotFound") {
		t.Errorf("its Node: %s", r)
	}
	if b := c.blocks(t)[name]; len(b) > 0 {
		t.Errorf("its blocks: %v", b)
	}
	if pods := c.kubectl(t, "get", "pods", "-A", "--field-selector=spec.nodeName="+name, "-o", "name"); pods != "" {
		t.Errorf("its pods: %s", pods)
	}
	for _, router := range c.routers() {
		if text := c.Must(t, "router", router, "show", "running-config"); strings.Contains(text, c.at(name)+" ") {
			t.Errorf("%s still knows it:\n%s", router, text)
		}
		for prefix, hops := range c.routes(t, router) {
			if slices.Contains(hops, c.at(name)) {
				t.Errorf("%s has a route to %s by way of it", router, prefix)
			}
		}
	}
}

// isBare: a machine is as it was before drover knew it.
func (c *cluster) isBare(t *testing.T, machine string, bare []string) {
	t.Helper()
	if diff := cmp.Diff(bare, c.disk(t, machine)); diff != "" {
		t.Errorf("%s is not as it was (-before +now):\n%s", machine, diff)
	}
}

// disk are the names of a host's files, in the places that drover and what it runs
// write to.
func (c *cluster) disk(t *testing.T, host string) []string {
	t.Helper()
	out := c.ssh(t, host, `find /etc /opt /var/lib /var/log/pods /var/log/containers /run/calico /run/containerd -xdev ! -path '/var/lib/systemd/*' ! -path '/etc/machine-id' -printf '%y %p\n' 2>/dev/null | sort; ls /run/netns; ip -br link | cut -d' ' -f1 | cut -d@ -f1 | sort; true`)
	return strings.Split(out, "\n")
}

// known is what the cluster knows that a node leaves something in.
func (c *cluster) known(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, kind := range []string{"nodes", "blockaffinities.crd.projectcalico.org", "bgppeers.crd.projectcalico.org", "bgpconfigurations.crd.projectcalico.org", "csinodes.storage.k8s.io",
		"certificatesigningrequests.certificates.k8s.io"} {
		found[kind] = strings.Fields(c.kubectl(t, "get", kind, "-o", "jsonpath={.items[*].metadata.name}"))
		slices.Sort(found[kind])
	}
	found["leases"] = strings.Fields(c.kubectl(t, "get", "leases", "-n", "kube-node-lease", "-o", "jsonpath={.items[*].metadata.name}"))
	for _, router := range c.routers() {
		for line := range strings.Lines(c.Must(t, "router", router, "show", "running-config")) {
			if strings.Contains(line, " peer-group ") {
				found["neighbors"] = append(found["neighbors"], router+strings.TrimRight(line, "\r\n"))
			}
		}
		for prefix, hops := range c.routes(t, router) {
			found["routes"] = append(found["routes"], fmt.Sprintf("%s: %s by way of %s", router, prefix, strings.Join(hops, ", ")))
		}
	}
	for line := range strings.Lines(c.ssh(t, c.masters()[0], etcdctl+"member list")) {
		_, member, _ := strings.Cut(line, ", ") // the first master may be another than before
		found["etcd members"] = append(found["etcd members"], strings.TrimSpace(member))
	}
	slices.Sort(found["routes"])
	return found
}

// leftNothing fails unless the cluster knows what it knew before, but for some kinds. What
// is a Node's goes soon after it: the controllers collect it, which may have to be led by
// another first.
func (c *cluster) leftNothing(t *testing.T, before map[string][]string, but ...string) {
	t.Helper()
	forget := func(known map[string][]string) map[string][]string {
		known = maps.Clone(known)
		for _, kind := range but {
			delete(known, kind)
		}
		return known
	}
	labkit.Await(t, time.Minute, "the cluster to know no more and no less than before", func() error {
		if diff := cmp.Diff(forget(before), forget(c.known(t))); diff != "" {
			return fmt.Errorf("(-before +now):\n%s", diff)
		}
		return nil
	})
}
