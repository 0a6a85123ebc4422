package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/trust"
)

// Standing is how far a cluster is.
type Standing string

// The standings.
const (
	New       Standing = "new"       // nothing of it is there
	Beginning Standing = "beginning" // an earlier run began it and did not get to the end
	Existing  Standing = "existing"
)

// Verdict is what the hosts are.
type Verdict struct {
	Standing Standing
	// Keeper is a master that holds the whole trust bundle; empty for New.
	Keeper string
}

// Scope is what has to be looked at on every host.
func Scope() facts.Scope {
	s := facts.Scope{Paths: []string{desired.MemberNote, manifests.EtcdJoinPath, manifests.EtcdDataDir + "/member/wal"}}
	for _, f := range trust.Files() {
		s.Paths = append(s.Paths, f.Path)
	}
	return s
}

// UnreachedMastersError says that a cluster cannot be begun while masters are not
// there to be asked whether they already are one.
type UnreachedMastersError struct{ Masters []string }

func (e *UnreachedMastersError) Error() string {
	return fmt.Sprintf("no cluster is known on the masters that were reached, and %s could not be: a cluster is begun only when every master it names was asked, because one that is away may be part of one that exists",
		strings.Join(e.Masters, ", "))
}

// Of decides. seen are the hosts that were reached; every problem means that
// nothing may be touched.
func Of(c *inventory.Cluster, seen map[string]facts.Snapshot) (Verdict, error) {
	notes, problems := readNotes(c, seen)
	if problems.HasErrors() {
		return Verdict{}, problems.Err()
	}
	var keeper string
	var begun, unreached, strange []string
	masterNoted := false
	for _, m := range c.KubeMasters {
		snap, reached := seen[m.Name]
		if !reached {
			unreached = append(unreached, m.Name)
			continue
		}
		if _, noted := notes[m.Name]; noted {
			masterNoted = true
		}
		if keeper == "" && holdsBundle(snap) {
			keeper = m.Name
		}
		_, data := snap.Dirs[manifests.EtcdDataDir+"/member/wal"]
		_, joining := snap.Files[manifests.EtcdJoinPath]
		if joining {
			begun = append(begun, m.Name)
		}
		if _, noted := notes[m.Name]; data && !joining && !noted {
			strange = append(strange, m.Name)
		}
	}
	switch {
	case masterNoted && keeper == "":
		return Verdict{}, fmt.Errorf("the cluster exists, but no master that was reached holds all of its keys (%s): restore them from a backup of a master", manifests.PKIDir)
	case masterNoted:
		return Verdict{Existing, keeper}, nil
	case len(notes) > 0:
		return Verdict{}, fmt.Errorf("%s belong to a cluster %q, but no master named here does: is the list of masters right?",
			strings.Join(slices.Sorted(maps.Keys(notes)), ", "), c.Name)
	case len(strange) > 0:
		return Verdict{}, fmt.Errorf("%s: %s holds the data of an etcd that drover did not make: is it the machine you mean? If the data can go, remove the directory", strings.Join(strange, ", "), manifests.EtcdDataDir)
	case len(unreached) > 0:
		return Verdict{}, &UnreachedMastersError{unreached}
	case len(begun) > 0 && keeper == "":
		return Verdict{}, fmt.Errorf("a cluster was begun on %s, but no master holds all of its keys: run `drover reset %s` and begin again",
			strings.Join(begun, ", "), strings.Join(begun, " "))
	case keeper != "":
		return Verdict{Beginning, keeper}, nil
	}
	return Verdict{Standing: New}, nil
}

// note is what a host says of its cluster.
type note struct{ cluster, uid string }

// readNotes reads the notes, and reports hosts of another cluster.
func readNotes(c *inventory.Cluster, seen map[string]facts.Snapshot) (map[string]note, diag.Problems) {
	notes := map[string]note{}
	var problems diag.Problems
	uids := map[string]string{} // UID to the first host with it
	for _, h := range c.Hosts() {
		text, ok := seen[h.Name].Texts[desired.MemberNote]
		if !ok {
			continue
		}
		n := note{}
		for line := range strings.Lines(text) {
			switch k, v, _ := strings.Cut(strings.TrimSpace(line), "="); k {
			case "cluster":
				n.cluster = v
			case "uid":
				n.uid = v
			}
		}
		notes[h.Name] = n
		if n.cluster != c.Name {
			problems = append(problems, diag.Problem{
				Code: "host-of-another-cluster", Host: h.Name, At: h.Where.Block.Ptr(),
				Summary: fmt.Sprintf("%s belongs to the cluster %q, not to %q", h.Name, n.cluster, c.Name),
				Fix:     "check the host's address; to take it over, run `drover reset` there with the inventory of its cluster first",
			})
			continue
		}
		uids[n.uid] = h.Name
	}
	if len(uids) > 1 {
		var words []string
		for _, uid := range slices.Sorted(maps.Keys(uids)) {
			words = append(words, fmt.Sprintf("%s (on %s)", uid, uids[uid]))
		}
		problems = append(problems, diag.Problem{
			Code: "two-clusters", At: c.Where.Block.Ptr(),
			Summary: fmt.Sprintf("the hosts belong to %d different clusters named %q: %s", len(uids), c.Name, strings.Join(words, ", ")),
			Fix:     "split the inventory, or reset the hosts that do not belong",
		})
	}
	return notes, problems
}

func holdsBundle(snap facts.Snapshot) bool {
	for _, f := range trust.Files() {
		if have, ok := snap.Files[f.Path]; !ok || have.Size == 0 {
			return false
		}
	}
	return true
}
