package labtest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// What the suite takes for a proof fails when what it proves is broken.
func TestChecksCanFail(t *testing.T) {
	c := shared(t)
	c.serve(t)
	hole := func(verb string) {
		for _, to := range c.ways(t, "kube-node-1") {
			address, _, _ := strings.Cut(to, ":")
			c.ssh(t, "f5-a", "ip route "+verb+" blackhole "+address)
		}
	}
	for _, test := range []struct {
		name        string
		check       check
		spoil, mend func()
		says        string
	}{
		{
			name: "an etcd with a stranger", check: c.etcdMembers, says: `+ "",`,
			spoil: func() {
				c.ssh(t, "kube-master-1", etcdctl+"member add stranger --learner --peer-urls=https://"+c.Net+".99:2380")
			},
			mend: func() {
				c.ssh(t, "kube-master-1", etcdctl+"member remove $("+etcdctl+"member list | grep unstarted | cut -d, -f1)")
			},
		}, {
			name: "an etcd that is away", check: c.etcdMembers, says: "connection refused",
			spoil: func() { c.ssh(t, "kube-master-1", "systemctl stop etcd") },
			mend:  func() { c.ssh(t, "kube-master-1", "systemctl start etcd") },
		}, {
			name: "no name service", check: c.namesResolve, says: "kubernetes.default.svc",
			spoil: func() { // nobody is behind its address, which answers at once that this is so
				c.kubectl(t, "patch", "-n", "kube-system", "service/kube-dns", "-p", `{"spec": {"selector": {"k8s-app": "nobody"}}}`)
			},
			mend: func() { c.apply(t) },
		}, {
			name: "no routes", check: c.routesHeld, says: `- "` + serviceCIDR,
			spoil: func() { c.kubectl(t, "delete", "bgppeers.crd.projectcalico.org", "drover-f5-a") },
			mend:  func() { c.apply(t) },
		}, {
			name: "dropped traffic", check: c.clientsReachPods, says: "f5-a-client asks the pod on kube-node-1",
			spoil: func() { hole("add") }, mend: func() { hole("del") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			soon(test.check)(t)
			test.spoil()
			var seen error
			labkit.Await(t, time.Minute, "the check sees it", func() error {
				if seen = test.check(t); seen == nil || !strings.Contains(spaced(seen), test.says) {
					return errors.Join(errors.New("it does not"), seen)
				}
				return nil
			})
			t.Log(seen)
			test.mend()
			soon(test.check)(t)
		})
	}
	c.inSync(t)
}

// spaced is an error's text with one plain space for every white space: cmp.Diff
// writes other spaces in every other build, so that nobody relies on them.
func spaced(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
