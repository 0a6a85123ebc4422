package resource

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/plan"
)

var somePackages = Packages{Host: "n1", Packages: []ospackage.Package{
	{Name: "nftables", Command: "nft"}, {Name: "haproxy", Command: "haproxy", Service: "haproxy.service"}, {Name: "conntrack", Command: "conntrack"},
}}

// Packages are known by their programs.
func TestPackagesAreObserved(t *testing.T) {
	have, err := somePackages.Observe(t.Context(), Seen{Hosts: map[string]facts.Snapshot{"n1": {Commands: map[string]bool{"nft": true}}}})
	want := plan.State{"nftables": "installed", "haproxy": "missing", "conntrack": "missing"}
	if d := cmp.Diff(want, have); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if _, err := somePackages.Observe(t.Context(), Seen{}); err == nil {
		t.Error("a host that was not looked at lacks nothing")
	}
}

// What is missing is installed and nothing else, with its services kept from
// starting; lists that are too old are fetched anew, once.
func TestPackagesAreInstalled(t *testing.T) {
	const install = "apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install -- "
	const update = "apt-get -q -o DPkg::Lock::Timeout=300 update"
	for name, test := range map[string]struct {
		have  plan.State
		fails int // of apt-get's runs, the first ones
		want  []string
		exit  bool
	}{
		"at once": {
			have: plan.State{"nftables": "installed"},
			want: []string{
				"systemctl mask --quiet --runtime haproxy.service", install + "haproxy conntrack",
				"systemctl unmask --quiet --runtime haproxy.service", "systemctl disable --quiet haproxy.service",
			},
		},
		"no service": {
			have: plan.State{"nftables": "installed", "haproxy": "installed"},
			want: []string{install + "conntrack"},
		},
		"old lists": {
			have: plan.State{"nftables": "installed", "haproxy": "installed"}, fails: 1,
			want: []string{install + "conntrack", update, install + "conntrack"},
		},
		"in vain": {
			have: plan.State{"nftables": "installed", "conntrack": "installed"}, fails: 9, exit: true,
			want: []string{"systemctl mask --quiet --runtime haproxy.service", install + "haproxy", update, "systemctl unmask --quiet --runtime haproxy.service"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
			fake := "#!/bin/sh\necho \"${0##*/} $*\" >>" + log + "\n"
			apt := fake + "[ \"$(grep -c ^apt " + log + ")\" -gt " + string(rune('0'+test.fails)) + " ]\n"
			for name, text := range map[string]string{"systemctl": fake, "apt-get": apt} {
				if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.CommandContext(t.Context(), "sh", "-s")
			c.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
			c.Stdin = strings.NewReader(whole(somePackages.script(test.have)))
			if out, err := c.CombinedOutput(); (err != nil) != test.exit {
				t.Errorf("%v: %s", err, out)
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, strings.Split(strings.TrimSpace(string(text)), "\n")); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
