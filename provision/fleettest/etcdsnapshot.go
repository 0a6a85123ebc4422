package fleettest

import (
	"fmt"
	"strconv"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// snapshotDir is where masters keep snapshots: of runs, not of the cluster.
const snapshotDir = "/var/lib/drover/etcd-snapshots"

// snapshot plays a snapshot of a master's etcd.
func (h *Host) snapshot(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 8 || c.Argv[1] != snapshotDir {
		return notPlayed(c)
	}
	if !s.Units[manifests.EtcdUnit].Active {
		return host.Result{Exit: 1, Stderr: []byte("its etcd is not part of a quorum: connection refused\n")}
	}
	content := "a snapshot by " + h.Name
	if err := s.MakeDirs(snapshotDir); err != nil {
		return host.Result{Exit: 74, Stderr: []byte(err.Error())}
	}
	if err := s.Put(snapshotDir+"/"+c.Argv[2], content, 0o600, "root:root"); err != nil {
		return host.Result{Exit: 74, Stderr: []byte(err.Error())}
	}
	return host.Result{Stdout: fmt.Appendf(nil, "@@drover-snapshot@@ status {\"hash\":7,\"revision\":42,\"totalKey\":3}\n@@drover-snapshot@@ file %d %s\n@@drover-snapshot@@ end\n",
		len(content), digest(content))}
}

// readSnapshot plays the reading of a piece of one.
func readSnapshot(s *hosttest.State, c hosttest.Call) host.Result {
	at, err := strconv.Atoi(c.Argv[2])
	f, there := s.Files[c.Argv[1]]
	if err != nil || !there || at < 1 || at > len(f.Content)+1 {
		return host.Result{Exit: 1, Stderr: []byte("tail: cannot open it\n")}
	}
	return host.Result{Stdout: []byte(f.Content[at-1:])}
}
