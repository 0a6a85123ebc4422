package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/lock"
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

// Scope is what has to be looked at on every host. Who holds the fleet's lock comes
// along: it tells whether anybody can have changed something since.
func Scope() facts.Scope {
	s := facts.Scope{Trees: []string{lock.Dir}, Paths: []string{membership.Path, trust.Seal().Path, manifests.EtcdJoinPath, manifests.EtcdDataDir + "/member/wal"}}
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
	v, all := look(c, seen, notes), func(names []string) string { return strings.Join(names, ", ") }
	switch {
	case v.noted && v.keeper == "":
		return Verdict{}, fmt.Errorf("the cluster exists, but no master that was reached holds all of its keys (%s): %s: restore what is missing from a backup of that master", manifests.PKIDir, strings.Join(v.broken, "; "))
	case v.noted:
		return Verdict{Existing, v.keeper}, nil
	case len(notes) > 0:
		return Verdict{}, fmt.Errorf("%s belong to a cluster %q, but no master named here does: is the list of masters right?",
			all(slices.Sorted(maps.Keys(notes))), c.Name)
	case len(v.strange) > 0:
		return Verdict{}, fmt.Errorf("%s: %s holds the data of an etcd that drover did not make: is it the machine you mean? If the data can go, remove the directory", all(v.strange), manifests.EtcdDataDir)
	case len(v.unreached) > 0:
		return Verdict{}, &UnreachedMastersError{v.unreached}
	case len(v.begun) > 0 && v.keeper == "":
		return Verdict{}, fmt.Errorf("a cluster was begun on %s, but no master holds all of its keys: run `drover reset %s` and begin again",
			all(v.begun), strings.Join(v.begun, " "))
	case len(v.others) > 0:
		return Verdict{}, fmt.Errorf("a cluster was begun on %s, but not with the keys that %s holds: run `drover reset %s` and begin again",
			all(v.others), v.keeper, strings.Join(v.others, " "))
	case v.keeper != "":
		return Verdict{Beginning, v.keeper}, nil
	}
	// Parts of bundles may lie about. No etcd began with them, so nothing depends on
	// them: they are written over.
	return Verdict{Standing: New}, nil
}
