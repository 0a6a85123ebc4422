package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/droverctl/drover/inventory"
)

// digestOf names what an inventory says, the same wherever it is read. Its secrets are
// not in it, nor are the files of whoever reads it: the way in is not what is wanted.
func digestOf(c *inventory.Cluster) string {
	said := *c
	said.Artifacts.Lock = ""
	said.SSH, said.PuppetDB = anywhere(c.SSH), inventory.PuppetDB{} // it tells of the way in as well
	said.BigIPs = slices.Clone(c.BigIPs)
	for i := range said.BigIPs {
		said.BigIPs[i].SSH = anywhere(said.BigIPs[i].SSH)
	}
	said.KubeMasters, said.KubeNodes = slices.Clone(c.KubeMasters), slices.Clone(c.KubeNodes)
	for _, hosts := range [][]inventory.Host{said.KubeMasters, said.KubeNodes} {
		for i := range hosts {
			hosts[i].SSH = anywhere(hosts[i].SSH)
		}
	}
	text, err := json.Marshal(&said)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// anywhere is how a host is reached, without the files that are on one machine.
func anywhere(s inventory.SSH) inventory.SSH {
	s.KnownHosts, s.ConfigFile, s.IdentityFile = "", "", ""
	return s
}
