package identity

import (
	"errors"
	"fmt"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/trust"
)

// standing is what the masters have of a cluster, by their names.
type standing struct {
	keeper    string   // the first that holds a whole bundle
	noted     bool     // one is a member
	begun     []string // told how etcd begins
	others    []string // of those, the ones that did not begin with the keeper's keys
	strange   []string // with an etcd that drover did not make
	unreached []string
	broken    []string // why members do not hold a whole bundle
}

func look(c *inventory.Cluster, seen map[string]facts.Snapshot, notes map[string]membership.Note) standing {
	var s standing
	uid := ""
	for _, n := range notes {
		uid = n.UID // they are all the same, else it would have been refused
	}
	seals := map[string]string{} // of the whole bundles
	for _, m := range c.KubeMasters {
		snap, reached := seen[m.Name]
		if !reached {
			s.unreached = append(s.unreached, m.Name)
			continue
		}
		_, noted := notes[m.Name]
		s.noted = s.noted || noted
		switch err := whole(snap, noted, uid); {
		case err == nil:
			seals[m.Name] = snap.Texts[trust.Seal().Path]
			if s.keeper == "" {
				s.keeper = m.Name
			}
		case noted:
			s.broken = append(s.broken, m.Name+": "+err.Error())
		}
		_, data := snap.Dirs[manifests.EtcdDataDir+"/member/wal"]
		_, joining := snap.Files[manifests.EtcdJoinPath]
		switch {
		case joining:
			s.begun = append(s.begun, m.Name)
		case data:
			s.strange = append(s.strange, m.Name)
		}
	}
	for _, m := range s.begun {
		if seals[m] != seals[s.keeper] {
			s.others = append(s.others, m)
		}
	}
	return s
}

// whole is nil when a master holds the whole bundle, and, where there is a cluster,
// that of the cluster. Members of an older form have no seal: what they hold was
// enough to become one.
func whole(snap facts.Snapshot, noted bool, uid string) error {
	err := trust.CheckSeal(snap.Texts[trust.Seal().Path], func(path string) string { return snap.Files[path].SHA256 })
	if noted && errors.Is(err, trust.ErrUnsealed) {
		err = present(snap)
	}
	if err != nil || uid == "" {
		return err
	}
	cert := pki.CAs()[0].Cert.Path
	ca, err := pki.Describe([]byte(snap.Texts[cert]))
	if err != nil {
		return fmt.Errorf("its %s: %w", cert, err)
	}
	if ca.KeyID != uid {
		return fmt.Errorf("its %s is not the cluster's", cert)
	}
	return nil
}

func present(snap facts.Snapshot) error {
	for _, f := range trust.Files() {
		if have, ok := snap.Files[f.Path]; !ok || have.Size == 0 {
			return fmt.Errorf("it has no %s", f.Path)
		}
	}
	return nil
}
