package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
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
	s := facts.Scope{Paths: []string{membership.Path, manifests.EtcdJoinPath, manifests.EtcdDataDir + "/member/wal"}}
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

func holdsBundle(snap facts.Snapshot) bool {
	for _, f := range trust.Files() {
		if have, ok := snap.Files[f.Path]; !ok || have.Size == 0 {
			return false
		}
	}
	return true
}
