package identity

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// KubeletCert is a kubelet's own certificate and key: who has it has joined.
const KubeletCert = manifests.KubeletPKIDir + "/kubelet-client-current.pem"

// Joiner is a master whose etcd is to become a member of the one there is.
type Joiner struct {
	Name string
	// Former is the member that a machine of this name was before; nil: there is none.
	Former *etcd.Member
}

// Members reports whether every master that was seen says that it is a member and is
// known to etcd by its name: then none is to join.
func Members(c *inventory.Cluster, seen map[string]facts.Snapshot, known []string) bool {
	for _, m := range c.KubeMasters {
		snap, reached := seen[m.Name]
		if _, noted := snap.Texts[membership.Path]; reached && (!noted || !slices.Contains(known, m.Name)) {
			return false
		}
	}
	return true
}

// Unproven are the masters that were reached and on which nothing of a cluster has begun:
// whether they are a member that lost its disk, only etcd knows.
func Unproven(c *inventory.Cluster, seen map[string]facts.Snapshot) (names []string) {
	for _, m := range c.KubeMasters {
		if snap, reached := seen[m.Name]; reached && empty(snap) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Joining are the masters that are to join, in the order in which they do: who takes a
// former member's place comes first, because that one counts and does not answer.
// members are etcd's, as their quorum knows them; replaced says of a name that another
// machine is to take its place.
func Joining(c *inventory.Cluster, seen map[string]facts.Snapshot, members []etcd.Member, replaced func(name string) bool) ([]Joiner, error) {
	var out, first []Joiner
	var problems diag.Problems
	for _, h := range c.KubeMasters {
		snap, reached := seen[h.Name]
		if !reached {
			continue
		}
		j, p := joining(h, snap, members, replaced(h.Name))
		switch {
		case p != nil:
			p.Host, p.At = h.Name, h.Where.At("address").Ptr()
			problems = append(problems, *p)
		case j != nil && j.Former != nil:
			first = append(first, *j)
		case j != nil:
			out = append(out, *j)
		}
	}
	c.Quote(problems)
	return append(first, out...), problems.Err()
}

// Strays are the learners that never started and are at no master's address: a run added
// them that was cut off, and the inventory has dropped or moved the machine since. etcd
// takes no other learner beside one, and nothing is lost with it.
func Strays(c *inventory.Cluster, members []etcd.Member) []etcd.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m etcd.Member) bool {
		at := func(h inventory.Host) bool { return slices.Contains(m.PeerURLs, peerURL(h)) }
		return !m.Learner || m.Name != "" || slices.ContainsFunc(c.KubeMasters, at)
	})
}

func peerURL(h inventory.Host) string {
	return "https://" + netip.AddrPortFrom(h.Address, manifests.EtcdPeerPort).String()
}

// joining is how one master joins; nil when it is a member.
func joining(h inventory.Host, snap facts.Snapshot, members []etcd.Member, replaced bool) (*Joiner, *diag.Problem) {
	at := slices.IndexFunc(members, func(m etcd.Member) bool { return slices.Contains(m.PeerURLs, peerURL(h)) })
	named := slices.IndexFunc(members, func(m etcd.Member) bool { return m.Name == h.Name })
	_, data := snap.Dirs[manifests.EtcdDataDir+"/member/wal"]
	_, noted := snap.Texts[membership.Path]
	switch {
	case data && at < 0 && named < 0:
		return nil, &diag.Problem{
			Code:    "etcd-data-left",
			Summary: fmt.Sprintf("%s holds the data of an etcd, and is no member of the cluster's", h.Name),
			Detail:  fmt.Sprintf("It was a member and was removed, or it belongs to another cluster. Started on %s, it would be an etcd of its own.", manifests.EtcdDataDir),
			Fix:     fmt.Sprintf("if that data can go, run `drover reset %s` or remove %s there, then apply again", h.Name, manifests.EtcdDataDir),
		}
	case !data && named >= 0 && replaced:
		return former(h, snap, members[named], noted)
	case !data && named >= 0 && !noted: // also when who was asked first did not know of it
		p := impostor(h)
		p.Code = machineReplaced
		return nil, p
	case !data && named >= 0:
		return nil, nil // it says that it is the member, and what it lacks is told elsewhere
	case at >= 0 && members[at].Name != "" && !members[at].Learner:
		return nil, nil
	}
	return &Joiner{Name: h.Name}, nil
}

// former is a machine in the place of a member that it is not. Nothing of one that
// there was before is to be used again, so it has to be empty.
func former(h inventory.Host, snap facts.Snapshot, m etcd.Member, noted bool) (*Joiner, *diag.Problem) {
	_, joined := snap.Files[KubeletCert]
	if !noted && !joined {
		return &Joiner{Name: h.Name, Former: &m}, nil
	}
	what := "says that it is a member of the cluster"
	if !noted {
		what = "holds the credentials of a kubelet"
	}
	return nil, &diag.Problem{
		Code:    "machine-not-empty",
		Summary: fmt.Sprintf("the machine at %s is to take %s's place, and %s", h.Address, h.Name, what),
		Detail:  "What a machine was before is not used again: who replaces a master begins empty.",
		Fix:     fmt.Sprintf("run `drover reset %s`, which takes its etcd out of the cluster as well, and `drover node replace %[1]s` again", h.Name),
	}
}
