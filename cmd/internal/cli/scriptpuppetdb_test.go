package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/droverctl/drover/provision/puppetdbtest"
)

// scriptPuppetDB is the PuppetDB of a script.
type scriptPuppetDB struct {
	tb testing.TB
	*puppetdbtest.Server
}

// puppetdbs is the key of a script's PuppetDB.
type puppetdbs struct{}

// scriptNode is a host in a script's file: what is not said is as an agent that is well
// makes it.
type scriptNode struct {
	Certname, Cluster, Role, Address string
	Zone, Hostname                   *string
	Key                              string // a letter makes one
	FactsAge                         string
	Deactivated, Expired             bool
	Report, Cached                   string
	Noop                             bool
}

// puppetDB serves the hosts of a file, has them become others, or has it make trouble.
// A script finds it by $PUPPETDB, and the files $PDB_CERT, $PDB_KEY and $PDB_CA.
//
//	puppetdb serve|plain|set FILE
//	puppetdb trouble cut|hang|STATUS
func puppetDB(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: puppetdb serve|plain|set FILE, puppetdb trouble cut|hang|STATUS")
	}
	p := ts.Value(puppetdbs{}).(*scriptPuppetDB)
	switch args[0] {
	case "serve", "plain":
		serve := puppetdbtest.Serve
		if args[0] == "plain" {
			serve = puppetdbtest.ServePlain
		}
		p.Server = serve(p.tb, scriptNodes(ts, args[1])...)
		ts.Setenv("PUPPETDB", p.URL)
		ts.Setenv("PDB_CERT", p.Cert)
		ts.Setenv("PDB_KEY", p.Key)
		ts.Setenv("PDB_CA", p.CA)
	case "set":
		p.Set(scriptNodes(ts, args[1])...)
	case "trouble":
		t := puppetdbtest.Trouble{Cut: args[1] == "cut", Hang: args[1] == "hang"}
		t.Status, _ = strconv.Atoi(args[1])
		p.Make(t)
	default:
		ts.Fatalf("unknown: puppetdb %s", args[0])
	}
}

func scriptNodes(ts *testscript.TestScript, name string) []puppetdbtest.Node {
	var list []scriptNode
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &list))
	var nodes []puppetdbtest.Node
	for _, s := range list {
		var keys [][]byte
		if s.Key != "" {
			keys = append(keys, []byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x01"+s.Key))
		}
		n := puppetdbtest.Host(s.Certname, s.Cluster, s.Role, s.Address, keys...)
		if s.Zone != nil {
			n.Extensions["pp_zone"] = *s.Zone
		}
		if s.Hostname != nil {
			n.Facts["networking"].(map[string]any)["hostname"] = *s.Hostname
		}
		if s.FactsAge != "" {
			age, err := time.ParseDuration(s.FactsAge)
			ts.Check(err)
			n.FactsAt = time.Now().Add(-age)
		}
		ago := time.Now().Add(-84 * time.Hour)
		if s.Deactivated {
			n.Deactivated = ago
		}
		if s.Expired {
			n.Expired = ago
		}
		if s.Report != "" {
			n.Report = s.Report
		}
		if s.Cached != "" {
			n.Cached = s.Cached
		}
		n.NoopPending = s.Noop
		nodes = append(nodes, n)
	}
	return nodes
}

// fakePuppet puts a puppet on the path that says which files of the script's PuppetDB
// are this machine's agent's.
func fakePuppet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: fakepuppet")
	}
	p := ts.Value(puppetdbs{}).(*scriptPuppetDB)
	dir := ts.MkAbs("puppetbin")
	ts.Check(os.MkdirAll(dir, 0o755))
	script := "#!/bin/sh\n[ \"$*\" = 'config print --section agent hostcert hostprivkey localcacert' ] || exit 9\n" +
		"echo 'hostcert = " + p.Cert + "'\necho 'hostprivkey = " + p.Key + "'\necho 'localcacert = " + p.CA + "'\n"
	ts.Check(os.WriteFile(filepath.Join(dir, "puppet"), []byte(script), 0o755)) //nolint:gosec // it is run
	ts.Setenv("PATH", dir+string(filepath.ListSeparator)+ts.Getenv("PATH"))
}
