package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/trust"
)

// host is what one host has of a cluster.
type host struct {
	away, data, joining bool
	keys                string // whose bundle, of bundles: one that was sealed
	parts               string // whose bundles, of bundles: all files are there, in turn from each, and no seal
	note                string // of which of them
	without             string // one of the files
	strangers           string // one of the files, of bundle B
}

// bundles are two clusters' own, by name.
func bundles(t *testing.T) map[string]*trust.Bundle {
	t.Helper()
	out := map[string]*trust.Bundle{}
	for _, name := range []string{"A", "B"} {
		b, err := trust.Generate(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	return out
}

func (h host) snapshot(all map[string]*trust.Bundle) facts.Snapshot {
	s := facts.Snapshot{Files: map[string]facts.File{}, Dirs: map[string]facts.File{}, Texts: map[string]string{}}
	hold := func(b *trust.Bundle, path string) {
		s.Files[path] = facts.File{Size: 100, SHA256: b.Digest(path)}
		s.Texts[path] = string(b.Content(path)) // the probe brings those of certificates and seals only
	}
	for i, f := range trust.Files() {
		switch {
		case f.Path == h.without:
		case f.Path == h.strangers:
			hold(all["B"], f.Path)
		case h.parts != "":
			hold(all[string(h.parts[i%len(h.parts)])], f.Path)
		case h.keys != "":
			hold(all[h.keys], f.Path)
		}
	}
	if h.keys != "" {
		hold(all[h.keys], trust.Seal().Path)
	}
	if h.data {
		s.Dirs[manifests.EtcdDataDir+"/member/wal"] = facts.File{}
	}
	if h.joining {
		s.Files[manifests.EtcdJoinPath] = facts.File{Size: 10}
	}
	if h.note != "" {
		name, uid := h.note, h.note
		if b := all[h.note]; b != nil {
			name, uid = "c", b.Authority(pki.ClusterCA).Describe().KeyID
		}
		s.Texts[membership.Path] = fmt.Sprintf("cluster=%s\nuid=%s\n", name, uid)
	}
	return s
}

func TestOneClusterNeverTwo(t *testing.T) {
	all := bundles(t)
	member := host{keys: "A", data: true, note: "A"}
	// As a master is when its etcd has begun and the run was killed.
	begun := host{keys: "A", data: true, joining: true}
	unsealed := host{parts: "A", data: true, note: "A"} // of an older form
	const sa = "/etc/kubernetes/pki/sa.key"
	for _, tc := range []struct {
		name    string
		masters [3]host
		node    host
		want    Verdict
		err     string
	}{
		{name: "bare machines", want: Verdict{Standing: New}},
		{name: "a finished cluster", masters: [3]host{member, member, member}, node: host{note: "A"}, want: Verdict{Existing, "m1"}},
		{name: "a finished cluster of an older form", masters: [3]host{unsealed, unsealed, unsealed}, node: host{note: "A"}, want: Verdict{Existing, "m1"}},
		{name: "a dead master of a finished cluster", masters: [3]host{{away: true}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "a key of a member lost", masters: [3]host{{keys: "A", data: true, note: "A", without: sa}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "a key of a member changed", masters: [3]host{{keys: "A", data: true, note: "A", strangers: sa}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "a member with keys of another", masters: [3]host{{keys: "B", data: true, note: "A"}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "a member with another's keys among its own", masters: [3]host{{parts: "BA", data: true, note: "A"}, member, member}, want: Verdict{Existing, "m2"}},
		{name: "killed after the first keys", masters: [3]host{{keys: "A"}, {}, {}}, want: Verdict{Beginning, "m1"}},
		{name: "killed half-way through the first keys", masters: [3]host{{}, {parts: "A", without: sa}, {}}, want: Verdict{Standing: New}},
		{name: "killed before the seal", masters: [3]host{{parts: "A"}, {parts: "A"}, {parts: "A"}}, want: Verdict{Standing: New}},
		{name: "killed twice half-way: parts of two bundles make none", masters: [3]host{{parts: "AB"}, {parts: "BA"}, {}}, want: Verdict{Standing: New}},
		{name: "killed half-way, and then after a whole one", masters: [3]host{{parts: "AB"}, {keys: "B"}, {}}, want: Verdict{Beginning, "m2"}},
		{name: "killed with one member started", masters: [3]host{begun, {keys: "A"}, {}}, want: Verdict{Beginning, "m1"}},
		{name: "killed with one member noted", masters: [3]host{begun, member, begun}, want: Verdict{Existing, "m1"}},

		{name: "a master away at the beginning", masters: [3]host{{}, {away: true}, {}},
			err: "no cluster is known on the masters that were reached, and m2 could not be: a cluster is begun only when every master it names was asked, because one that is away may be part of one that exists"},
		{name: "the masters of the cluster away", masters: [3]host{{}, {away: true}, {away: true}}, node: host{note: "A"},
			err: `node belong to a cluster "c", but no master named here does: is the list of masters right?`},
		{name: "etcd data of unknown origin", masters: [3]host{{}, {data: true}, {}},
			err: "m2: /var/lib/etcd holds the data of an etcd that drover did not make: is it the machine you mean? If the data can go, remove the directory"},
		{name: "begun, and the keys lost", masters: [3]host{{joining: true, data: true}, {}, {}},
			err: "a cluster was begun on m1, but no master holds all of its keys: run `drover reset m1` and begin again"},
		{name: "begun, and parts of two bundles", masters: [3]host{{joining: true, data: true, parts: "AB"}, {}, {joining: true, data: true, parts: "A"}},
			err: "a cluster was begun on m1, m3, but no master holds all of its keys: run `drover reset m1 m3` and begin again"},
		{name: "begun with other keys than those that are whole", masters: [3]host{{keys: "B"}, begun, {keys: "B"}},
			err: "a cluster was begun on m2, but not with the keys that m1 holds: run `drover reset m2` and begin again"},
		{name: "begun, and a key changed since", masters: [3]host{{keys: "A"}, {keys: "A", without: sa, data: true, joining: true}, {}},
			err: "a cluster was begun on m2, but not with the keys that m1 holds: run `drover reset m2` and begin again"},
		{name: "finished, and the keys lost", masters: [3]host{{data: true, note: "A"}, {away: true}, {data: true, note: "A", keys: "A", without: sa}},
			err: "the cluster exists, but no master that was reached holds all of its keys (/etc/kubernetes/pki): m1: it has no /etc/kubernetes/pki/ca.crt; m3: it has no /etc/kubernetes/pki/sa.key: restore what is missing from a backup of that master"},
		{name: "a host of another cluster", masters: [3]host{member, member, member}, node: host{note: "other"}, err: `: error: node belongs to the cluster "other", not to "c"`},
		{name: "two clusters of one name", masters: [3]host{member, member, {keys: "B", data: true, note: "B"}}, err: `: error: the hosts belong to 2 different clusters named "c": …`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &inventory.Cluster{Name: "c"}
			seen := map[string]facts.Snapshot{"node": tc.node.snapshot(all)}
			c.KubeNodes = []inventory.Host{{Name: "node", Role: inventory.RoleNode}}
			for i, h := range tc.masters {
				name := []string{"m1", "m2", "m3"}[i]
				c.KubeMasters = append(c.KubeMasters, inventory.Host{Name: name, Role: inventory.RoleMaster})
				if !h.away {
					seen[name] = h.snapshot(all)
				}
			}
			got, err := Of(c, seen)
			switch {
			case tc.err == "" && (err != nil || got != tc.want):
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			case tc.err != "" && (err == nil || !says(err.Error(), tc.err)):
				t.Errorf("got %+v, %v; want an error with %q", got, err, tc.err)
			}
			var unreached *UnreachedMastersError
			if tc.name == "a master away at the beginning" && !errors.As(err, &unreached) {
				t.Error("not an UnreachedMastersError: its exit code would be wrong")
			}
		})
	}
}

// says compares texts; one that ends in an ellipsis may go on.
func says(got, want string) bool {
	begin, open := strings.CutSuffix(want, "…")
	return got == begin || open && strings.HasPrefix(got, begin)
}
