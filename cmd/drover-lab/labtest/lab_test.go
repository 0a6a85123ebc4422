package labtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// status is what `status -o json` says.
type status struct {
	Network   string    `json:"network"`
	Admin     string    `json:"admin"`
	Gateway   string    `json:"gateway"`
	MirrorURL string    `json:"mirror_url"`
	Registry  string    `json:"registry"`
	MirrorUp  bool      `json:"mirror_up"`
	SSHConfig string    `json:"ssh_config"`
	Machines  []machine `json:"machines"`
	Cuts      []cut     `json:"cuts"`
}

type machine struct {
	Name    string `json:"name"`
	Role    string `json:"role"`
	Address string `json:"address"`
	State   string `json:"state"`
	Error   string `json:"error"`
	Memory  int64  `json:"memory_bytes"`
	Rate    string `json:"rate"`
}

type cut struct{ A, B string }

func (l lab) status(t testing.TB) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(l.Must(t, "status", "-o", "json")), &s); err != nil {
		t.Fatalf("status -o json: %v", err)
	}
	return s
}

func (s status) machine(t testing.TB, name string) machine {
	t.Helper()
	for _, m := range s.Machines {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("status has no machine %s: %+v", name, s.Machines)
	return machine{}
}

// answered is a status in which every machine that is on has answered: on a
// computer that is busy with other things some may miss status's own deadline.
func (l lab) answered(t testing.TB) (s status) {
	t.Helper()
	labkit.Await(t, time.Minute, "every machine answers", func() error {
		s = l.status(t)
		for _, m := range s.Machines {
			if m.State == "unreachable" {
				return fmt.Errorf("%s: %s", m.Name, m.Error)
			}
		}
		return nil
	})
	return s
}

// healthy fails unless every machine runs and the mirror answers.
func (l lab) healthy(t testing.TB) status {
	t.Helper()
	s := l.answered(t)
	for _, m := range s.Machines {
		if m.State != "running" {
			t.Errorf("%s is %s (%s)", m.Name, m.State, m.Error)
		}
	}
	if !s.MirrorUp {
		t.Error("the mirror does not answer")
	}
	return s
}

// inventory writes an inventory of so many machines and returns its path.
func (l lab) inventory(t testing.TB, masters, nodes, routers int) string {
	t.Helper()
	var b strings.Builder
	var names []string
	for n := range masters {
		names = append(names, fmt.Sprintf("%q", "kube-master-"+fmt.Sprint(n+1)))
		fmt.Fprintf(&b, "kube_master \"kube-master-%d\" { address = \"%s.%d\" }\n", n+1, l.Net, 11+n)
	}
	for n := range nodes {
		fmt.Fprintf(&b, "kube_node \"kube-node-%d\" { address = \"%s.%d\" }\n", n+1, l.Net, 21+n)
	}
	for n := range routers {
		fmt.Fprintf(&b, "bigip \"f5-%c\" {\n  peer_address = \"%s.%d\"\n  as_number = %d\n}\n", 'a'+n, l.Net, 5+n, 64512+n)
	}
	content := fmt.Sprintf("cluster %q {\n  masters = [%s]\n  pod_cidr = \"10.100.0.0/16\"\n  service_cidr = \"10.101.0.0/16\"\n}\n%s",
		l.Name, strings.Join(names, ", "), b.String())
	path := filepath.Join(labkit.WorkDir(), fmt.Sprintf("%s-%d-%d-%d.hcl", l.Name, masters, nodes, routers))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// full is the inventory of the demo: three masters, two nodes, two BIG-IPs.
func (l lab) full(t testing.TB) string {
	t.Helper()
	return l.inventory(t, 3, 2, 2)
}

// without is what the shared lab's second node is made without.
const without = "kube-node-2=haproxy,conntrack"

var bringUp = sync.OnceValue(func() labkit.Result {
	ctx, cancel := context.WithTimeout(context.Background(), labkit.Limit)
	defer cancel()
	r, err := labkit.Execute(sharedLab.Command(ctx, "up", "--without", without, sharedInventory()))
	if err != nil {
		r.Stderr += err.Error()
	}
	return r
})

var tellOnce sync.Once

// shared is the lab most tests use, brought up by the first of them.
func shared(t testing.TB) lab {
	t.Helper()
	suite.Need(t)
	path := sharedInventory()
	if _, err := os.Stat(path); err != nil {
		content, err := os.ReadFile(sharedLab.full(t))
		if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := bringUp()
	if r.Code != 0 {
		t.Fatalf("the shared lab did not come up: %s", r)
	}
	tellOnce.Do(func() { t.Logf("the shared lab: %s", r) })
	return sharedLab
}

// names are the machines' names; with roles, those of these roles.
func (s status) names(roles ...string) []string {
	var found []string
	for _, m := range s.Machines {
		if len(roles) == 0 || strings.Contains(strings.Join(roles, " "), m.Role) {
			found = append(found, m.Name)
		}
	}
	return found
}
