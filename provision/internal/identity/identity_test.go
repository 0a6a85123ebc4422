package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/trust"
)

// host is what one host has of a cluster.
type host struct {
	away, keys, data, joining bool
	note                      string // cluster/uid
}

func (h host) snapshot() facts.Snapshot {
	s := facts.Snapshot{Files: map[string]facts.File{}, Dirs: map[string]facts.File{}, Texts: map[string]string{}}
	if h.keys {
		for _, f := range trust.Files() {
			s.Files[f.Path] = facts.File{Size: 100}
		}
	}
	if h.data {
		s.Dirs[manifests.EtcdDataDir+"/member/wal"] = facts.File{}
	}
	if h.joining {
		s.Files[manifests.EtcdJoinPath] = facts.File{Size: 10}
	}
	if h.note != "" {
		name, uid, _ := strings.Cut(h.note, "/")
		s.Texts[membership.Path] = fmt.Sprintf("cluster=%s\nuid=%s\n", name, uid)
	}
	return s
}

func TestOneClusterNeverTwo(t *testing.T) {
	member := host{keys: true, data: true, note: "c/1"}
	for _, tc := range []struct {
		name    string
		masters [3]host
		node    host
		want    Verdict
		err     string
	}{
		{name: "bare machines", want: Verdict{Standing: New}},
		{name: "a finished cluster", masters: [3]host{member, member, member}, node: host{note: "c/1"}, want: Verdict{Existing, "m1"}},
		{name: "a dead master of a finished cluster", masters: [3]host{{away: true}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "killed after the first keys", masters: [3]host{{keys: true}, {}, {}}, want: Verdict{Beginning, "m1"}},
		{name: "killed half-way through the first keys", masters: [3]host{{}, {}, {}}, want: Verdict{Standing: New}},
		{name: "killed with one member started", masters: [3]host{{keys: true, joining: true, data: true}, {keys: true}, {}}, want: Verdict{Beginning, "m1"}},
		{name: "killed with one member noted", masters: [3]host{{keys: true, joining: true, data: true}, member, {keys: true, data: true, joining: true}}, want: Verdict{Existing, "m1"}},

		{name: "a master away at the beginning", masters: [3]host{{}, {away: true}, {}}, err: "no cluster is known on the masters that were reached, and m2 could not be"},
		{name: "the masters of the cluster away", masters: [3]host{{}, {away: true}, {away: true}}, node: host{note: "c/1"}, err: `node belong to a cluster "c", but no master named here does`},
		{name: "etcd data of unknown origin", masters: [3]host{{}, {data: true}, {}}, err: "m2: /var/lib/etcd holds the data of an etcd that drover did not make"},
		{name: "begun, and the keys lost", masters: [3]host{{joining: true, data: true}, {}, {}}, err: "a cluster was begun on m1, but no master holds all of its keys"},
		{name: "finished, and the keys lost", masters: [3]host{{data: true, note: "c/1"}, {away: true}, {away: true}}, err: "the cluster exists, but no master that was reached holds all of its keys"},
		{name: "a host of another cluster", masters: [3]host{member, member, member}, node: host{note: "other/2"}, err: `node belongs to the cluster "other", not to "c"`},
		{name: "two clusters of one name", masters: [3]host{member, member, {keys: true, data: true, note: "c/2"}}, err: `the hosts belong to 2 different clusters named "c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &inventory.Cluster{Name: "c"}
			seen := map[string]facts.Snapshot{"node": tc.node.snapshot()}
			c.KubeNodes = []inventory.Host{{Name: "node", Role: inventory.RoleNode}}
			for i, h := range tc.masters {
				name := []string{"m1", "m2", "m3"}[i]
				c.KubeMasters = append(c.KubeMasters, inventory.Host{Name: name, Role: inventory.RoleMaster})
				if !h.away {
					seen[name] = h.snapshot()
				}
			}
			got, err := Of(c, seen)
			switch {
			case tc.err == "" && (err != nil || got != tc.want):
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("got %+v, %v; want an error with %q", got, err, tc.err)
			}
			var unreached *UnreachedMastersError
			if tc.name == "a master away at the beginning" && !errors.As(err, &unreached) {
				t.Error("not an UnreachedMastersError: its exit code would be wrong")
			}
		})
	}
}
