package labtest

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// identity prints what a machine says of itself, a line each.
const identity = `
hostname
systemctl is-system-running
puppet --version
echo puppet $(systemctl is-enabled puppet; systemctl is-active puppet)
cat /etc/machine-id
cat /etc/ssh/ssh_host_*_key.pub
`

// Every machine of the inventory is there, its own self, and idle.
func TestEveryMachineIsReachable(t *testing.T) {
	l := shared(t)
	s := l.healthy(t)
	want := []string{"kube-master-1", "kube-master-2", "kube-master-3", "kube-node-1", "kube-node-2", "f5-a", "f5-a-client", "f5-b", "f5-b-client"}
	if got := s.names(); !slices.Equal(got, want) {
		t.Fatalf("machines %v, want %v", got, want)
	}
	known, err := os.ReadFile(strings.Replace(s.SSHConfig, "ssh_config", "known_hosts", 1))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	owner := map[string]string{}
	labkit.Each(want, func(name string) {
		out, err := l.Try(t.Context(), name, identity)
		if err != nil {
			t.Error(err)
			return
		}
		lines := strings.Split(out, "\n")
		if len(lines) != 6 {
			t.Errorf("%s: want six lines (one host key, too), got:\n%s", name, out)
			return
		}
		if lines[0] != name || lines[1] != "running" || !strings.HasPrefix(lines[2], "7.") || lines[3] != "puppet disabled inactive" {
			t.Errorf("%s: want its name, running, a Puppet 7, and no agent at work; got:\n%s", name, out)
		}
		key := strings.Join(strings.Fields(lines[5])[:2], " ")
		if !strings.Contains(string(known), key) {
			t.Errorf("%s: its host key is not in known_hosts: %s", name, key)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, own := range []string{lines[4], key} {
			if other, taken := owner[own]; taken {
				t.Errorf("%s and %s share %s", name, other, own)
			}
			owner[own] = name
		}
	})
}

// which prints those of the two packages' commands a machine has.
const which = `sudo sh -c 'for c in haproxy conntrack; do command -v $c; done' || :`

// A machine made without packages lacks them, and gets them from the lab's own
// repository.
func TestPackagesComeFromTheLabsRepository(t *testing.T) {
	l := shared(t)
	const both = "/usr/sbin/haproxy\n/usr/sbin/conntrack"
	if out := l.SSH(t, "kube-node-1", which); out != both {
		t.Errorf("kube-node-1 should have both, and has %q", out)
	}
	if out := l.SSH(t, "kube-node-2", which); out != "" {
		t.Fatalf("kube-node-2 was made without haproxy and conntrack, and has %q", out)
	}
	// Nothing else is asked: there is no way out of the lab, only a time-out.
	if out := l.SSH(t, "kube-node-2", "cat /etc/apt/sources.list; ls /etc/apt/sources.list.d"); out != "deb [trusted=yes] "+l.status(t).MirrorURL+"/apt ./" {
		t.Errorf("packages come from %q, want the lab's mirror alone", out)
	}
	out := l.SSH(t, "kube-node-2", "sudo apt-get update -q 2>&1 && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qy haproxy conntrack 2>&1")
	if got := l.SSH(t, "kube-node-2", which); got != both {
		t.Errorf("installed, and there is %q:\n%s", got, out)
	}
}
