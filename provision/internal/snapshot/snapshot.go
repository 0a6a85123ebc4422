package snapshot

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
)

// Dir is where masters keep snapshots.
const Dir = "/var/lib/drover/etcd-snapshots"

// Keep is how many a master keeps: the newest.
const Keep = 5

// Taken is a snapshot that was taken and verified.
type Taken struct {
	Host     string `json:"host"`
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"` // of the file
	Hash     uint32 `json:"hash"`   // of what it holds, as etcdutl tells it
	Revision int64  `json:"revision"`
	Keys     int    `json:"keys"`
	Version  string `json:"version,omitempty"` // of etcd's storage
}

// String tells where it is and what it holds.
func (t Taken) String() string {
	return fmt.Sprintf("%s:%s: revision %d, %d keys, %d bytes", t.Host, t.Path, t.Revision, t.Keys, t.Size)
}

//go:embed snapshot.sh
var script string

// limit is how long a snapshot may take: gigabytes, on a disk that etcd uses as well.
const limit = 10 * time.Minute

// at is where a master has what it takes.
type at struct{ dir, bin, pki, db, endpoint string }

func usual() at {
	return at{
		dir: Dir, bin: "/opt/drover/etcd/current", pki: manifests.PKIDir + "/etcd",
		db: manifests.EtcdDataDir + "/member/snap/db", endpoint: fmt.Sprintf("https://127.0.0.1:%d", manifests.EtcdClientPort),
	}
}

// Take has a master take a snapshot of its etcd.
func Take(ctx context.Context, master host.Writer, now time.Time) (Taken, error) {
	return take(ctx, master, now, usual())
}

func take(ctx context.Context, master host.Writer, now time.Time, a at) (Taken, error) {
	name := "etcd-" + now.UTC().Format("20060102T150405.000Z") + ".db"
	res, err := master.Run(ctx, host.Cmd{Limit: limit, Argv: []string{
		"sh", "-c", script, "drover-etcd-snapshot", a.dir, name, strconv.Itoa(Keep), a.bin, a.pki, a.db, a.endpoint,
	}})
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) {
		return Taken{}, fmt.Errorf("%s: no snapshot of etcd was taken: %s", master.Name(), strings.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return Taken{}, err
	}
	t, err := read(string(res.Stdout))
	if err != nil {
		return Taken{}, fmt.Errorf("%s: a snapshot of etcd: %w", master.Name(), err)
	}
	t.Host, t.Path = master.Name(), path.Join(a.dir, name)
	return t, nil
}

const marker = "@@drover-snapshot@@ "

// read reads what the script says of a snapshot.
func read(out string) (Taken, error) {
	var t Taken
	ended := false
	for line := range strings.Lines(out) {
		rest, ours := strings.CutPrefix(strings.TrimSpace(line), marker)
		if !ours {
			continue
		}
		switch word, more, _ := strings.Cut(rest, " "); word {
		case "status":
			var s struct {
				Hash     uint32
				Revision int64
				TotalKey int
				Version  string
			}
			if err := json.Unmarshal([]byte(more), &s); err != nil {
				return t, fmt.Errorf("what etcdutl says of it: %w", err)
			}
			t.Hash, t.Revision, t.Keys, t.Version = s.Hash, s.Revision, s.TotalKey, s.Version
		case "file":
			if _, err := fmt.Sscan(more, &t.Size, &t.SHA256); err != nil {
				return t, fmt.Errorf("%q: %w", more, err)
			}
		case "end":
			ended = true
		}
	}
	if !ended || len(t.SHA256) != 64 || t.Revision == 0 {
		return t, errors.New("its answer ended before its end")
	}
	return t, nil
}
