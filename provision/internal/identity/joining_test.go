package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

const threeMasters = `masters      = ["m1", "m2", "m3"]`

// machine is what one has: "note", "data", "kubelet".
func machine(has ...string) facts.Snapshot {
	s := facts.Snapshot{Texts: map[string]string{}, Dirs: map[string]facts.File{}, Files: map[string]facts.File{}}
	for _, h := range has {
		switch h {
		case "note":
			s.Texts[membership.Path] = "cluster=c\n"
		case "data":
			s.Dirs[manifests.EtcdDataDir+"/member/wal"] = facts.File{}
		case "kubelet":
			s.Files[KubeletCert] = facts.File{}
		}
	}
	return s
}

func TestWhoJoins(t *testing.T) {
	member := func(id uint64, name, address string) etcd.Member {
		return etcd.Member{ID: id, Name: name, PeerURLs: []string{"https://" + address + ":2380"}}
	}
	learner := func(m etcd.Member) etcd.Member { m.Learner = true; return m }
	m1, m2, m3 := member(1, "m1", "10.90.0.11"), member(2, "m2", "10.90.0.12"), member(3, "m3", "10.90.0.13")
	whole, bare := machine("note", "data", "kubelet"), machine()
	for name, test := range map[string]struct {
		machines [3]facts.Snapshot
		away     string
		members  []etcd.Member
		replaced string
		want     string // NAME, or NAME for ID; or what is wrong
	}{
		"nobody":                              {machines: [3]facts.Snapshot{whole, whole, whole}, members: []etcd.Member{m1, m2, m3}},
		"two that are new":                    {machines: [3]facts.Snapshot{whole, bare, bare}, members: []etcd.Member{m1}, want: "m2, m3"},
		"one that is away":                    {machines: [3]facts.Snapshot{whole, bare, bare}, away: "m2", members: []etcd.Member{m1}, want: "m3"},
		"one that is added and has not begun": {machines: [3]facts.Snapshot{whole, bare, bare}, members: []etcd.Member{m1, learner(member(2, "", "10.90.0.12"))}, want: "m2, m3"},
		"one that has begun and has no vote":  {machines: [3]facts.Snapshot{whole, machine("data"), bare}, members: []etcd.Member{m1, learner(m2)}, want: "m2, m3"},
		"one that has its vote and no note":   {machines: [3]facts.Snapshot{whole, machine("data"), bare}, members: []etcd.Member{m1, m2}, want: "m3"},
		"one that is replaced":                {machines: [3]facts.Snapshot{bare, whole, whole}, members: []etcd.Member{m1, m2, m3}, replaced: "m1", want: "m1 for 1"},
		"one that is replaced elsewhere":      {machines: [3]facts.Snapshot{bare, whole, whole}, members: []etcd.Member{member(1, "m1", "10.90.0.99"), m2, m3}, replaced: "m1", want: "m1 for 1"},
		"who is replaced comes first":         {machines: [3]facts.Snapshot{whole, bare, bare}, members: []etcd.Member{m1, m3}, replaced: "m3", want: "m3 for 3, m2"},
		"one whose former member is gone":     {machines: [3]facts.Snapshot{machine("kubelet"), whole, whole}, members: []etcd.Member{m2, m3}, replaced: "m1", want: "m1"},
		"one that has taken the place":        {machines: [3]facts.Snapshot{machine("data"), whole, whole}, members: []etcd.Member{m2, m3, learner(member(9, "m1", "10.90.0.11"))}, replaced: "m1", want: "m1"},
		"one that is what it was":             {machines: [3]facts.Snapshot{whole, whole, whole}, members: []etcd.Member{m1, m2, m3}, replaced: "m1"},
		"an empty one of a member's name":     {machines: [3]facts.Snapshot{bare, whole, whole}, members: []etcd.Member{m1, m2, m3}, want: "m1 belongs to no cluster, but etcd has a member of that name"},
		"one that lost its disk, not told":    {machines: [3]facts.Snapshot{machine("note"), whole, whole}, members: []etcd.Member{m1, m2, m3}},
		"one with a note takes no place":      {machines: [3]facts.Snapshot{machine("note"), whole, whole}, members: []etcd.Member{m1, m2, m3}, replaced: "m1", want: "the machine at 10.90.0.11 is to take m1's place, and says that it is a member of the cluster"},
		"one with a kubelet takes no place":   {machines: [3]facts.Snapshot{machine("kubelet"), whole, whole}, members: []etcd.Member{m1, m2, m3}, replaced: "m1", want: "the machine at 10.90.0.11 is to take m1's place, and holds the credentials of a kubelet"},
		"one with data of another etcd":       {machines: [3]facts.Snapshot{whole, machine("data"), bare}, members: []etcd.Member{m1}, want: "m2 holds the data of an etcd, and is no member of the cluster's"},
		"one that was removed, and has a note": {machines: [3]facts.Snapshot{whole, whole, whole}, members: []etcd.Member{m1, m2},
			want: "m3 holds the data of an etcd, and is no member of the cluster's"},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, `masters      = ["m1"]`, threeMasters, `kube_node "n1" {`, "kube_master \"m2\" { address = \"10.90.0.12\" }\nkube_master \"m3\" { address = \"10.90.0.13\" }\nkube_node \"n1\" {")
			seen := map[string]facts.Snapshot{"m1": test.machines[0], "m2": test.machines[1], "m3": test.machines[2]}
			delete(seen, test.away)
			joiners, err := Joining(c, seen, test.members, func(name string) bool { return name == test.replaced })
			var words []string
			for _, j := range joiners {
				word := j.Name
				if j.Former != nil {
					word += " for " + string(rune('0'+j.Former.ID))
				}
				words = append(words, word)
			}
			got := strings.Join(words, ", ")
			if err != nil {
				_, got, _ = strings.Cut(strings.Split(rendered(t, err), "\n")[0], "error: ")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMembersAreNotAskedAbout(t *testing.T) {
	c := load(t)
	for name, test := range map[string]struct {
		seen  map[string]facts.Snapshot
		known []string
		want  bool
	}{
		"a member":                    {map[string]facts.Snapshot{"m1": machine("note")}, []string{"m1"}, true},
		"one that is away":            {map[string]facts.Snapshot{}, nil, true},
		"one without a note":          {map[string]facts.Snapshot{"m1": machine()}, []string{"m1"}, false},
		"one that etcd does not know": {map[string]facts.Snapshot{"m1": machine("note")}, nil, false},
	} {
		if got := Members(c, test.seen, test.known); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An empty machine that is meant to take a member's place is not refused.
func TestWhoIsMeantMayTakeAPlace(t *testing.T) {
	seen := members(t, nil)
	seen["m1"] = facts.Snapshot{}
	for _, meant := range []bool{false, true} {
		err := Replaced(load(t, "10.90.0.11", "10.90.0.99"), seen, known(), func(name string) bool { return meant && name == "m1" })
		if (err == nil) != meant {
			t.Errorf("meant %v: %v", meant, err)
		}
	}
	seen["m1"] = machine("data")
	if Replaced(load(t, "10.90.0.11", "10.90.0.99"), seen, known(), func(string) bool { return true }) == nil {
		t.Error("one that holds data takes a place elsewhere")
	}
}

func TestStrays(t *testing.T) {
	c := load(t)
	member := func(id uint64, name, address string, learner bool) etcd.Member {
		return etcd.Member{ID: id, Name: name, Learner: learner, PeerURLs: []string{"https://" + address + ":2380"}}
	}
	got := Strays(c, []etcd.Member{
		member(1, "m1", "10.90.0.11", false), member(2, "", "10.90.0.11", true), member(3, "", "10.90.0.12", false),
		member(4, "m4", "10.90.0.14", true), member(5, "", "10.90.0.15", true),
	})
	if len(got) != 1 || got[0].ID != 5 {
		t.Errorf("%v", got)
	}
}
