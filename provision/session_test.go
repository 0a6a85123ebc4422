package provision

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
)

// A plan says of which cluster it is: of the one whose keys a master holds, not
// of the one that this run would have begun.
func TestAPlanTellsItsCluster(t *testing.T) {
	held, err := trust.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	made, err := trust.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	machine := hosttest.New(t, "m")
	machine.HandleScript("# drover bundle", func(*hosttest.State, hosttest.Call) host.Result {
		var out bytes.Buffer
		for _, f := range trust.Files() {
			fmt.Fprintf(&out, "@@drover-bundle@@ %s\n%s", f.Path, held.Content(f.Path))
		}
		fmt.Fprintln(&out, "@@drover-bundle@@ end")
		return host.Result{Stdout: out.Bytes()}
	})
	server := hosttest.Serve(t, machine, hosttest.Config{})
	conn, err := ssh.Dial(t.Context(), ssh.Target{
		Name: "m", Address: server.Address, Port: server.Port, User: "root",
		IdentityFile: server.KeyFile, KnownHosts: server.KnownHosts,
	}, ssh.Options{ConfigFiles: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tc := range []struct {
		verdict identity.Verdict
		uid     string
	}{
		{identity.Verdict{Standing: identity.New}, ""},
		{identity.Verdict{Standing: identity.Beginning, Keeper: "m"}, held.UID()},
	} {
		s := Session{Cluster: &inventory.Cluster{Name: "one"}, conns: map[string]*ssh.Conn{"m": conn}, verdict: tc.verdict}
		if err := s.trust(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		p, err := s.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.Cluster != "one" || p.Standing != string(tc.verdict.Standing) || p.UID != tc.uid {
			t.Errorf("%s %s %q, want %+v", p.Cluster, p.Standing, p.UID, tc)
		}
	}
}
