package preflight

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

func testLab(t *testing.T) topology.Lab {
	t.Helper()
	lab, err := topology.Build("unit", "", []topology.Host{
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestParseRoute(t *testing.T) {
	for line, want := range map[string]string{
		"10.90.0.0/24 dev dl-1 proto kernel scope link src 10.90.0.253 \n": "10.90.0.0/24 dl-1",
		"10.90.0.0/24 via 10.1.0.1 dev eth0 \n":                            "10.90.0.0/24 eth0",
		"local 10.90.0.253 dev dl-1 table local proto kernel scope host\n": "10.90.0.253/32 dl-1",
		"broadcast 10.90.0.255 dev dl-1 table local proto kernel\n":        "10.90.0.255/32 dl-1",
		"local 127.0.0.0/8 dev lo table local proto kernel scope host\n":   "127.0.0.0/8 lo",
		"unreachable 10.0.0.0/8 metric 4278198272\n":                       "10.0.0.0/8 ",
		"blackhole 10.90.0.64/26 proto bird\n":                             "10.90.0.64/26 ",
		"prohibit 10.90.0.64/26\n":                                         "10.90.0.64/26 ",
		"throw 10.90.0.64/26\n":                                            "10.90.0.64/26 ",
		"10.1.2.3 dev tun0 scope link\n":                                   "10.1.2.3/32 tun0",
		"default via 10.1.0.1 dev eth0\n":                                  "",
		"0.0.0.0/0 via 10.1.0.1 dev eth0\n":                                "",
		"\n":                                                               "",
		"dev\n":                                                            "",
		"10.90.0.0/24 dev\n":                                               "10.90.0.0/24 ",
	} {
		prefix, dev, ok := parseRoute(line)
		got := ""
		if ok {
			got = prefix.String() + " " + dev
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	lab := testLab(t)
	owner := func(dev string) string {
		if dev == "dl-other" {
			return "prod"
		}
		return ""
	}
	for _, tc := range []struct {
		what, routes string
		want         []Obstacle
	}{
		{"nothing near", "default via 172.16.0.1 dev eth0\n172.16.0.0/16 dev eth0\n10.90.1.0/24 dev eth1\n", nil},
		{"its own link", "10.90.0.0/24 dev " + topology.AdminLink("unit") + "\n", nil},
		{"another lab", "10.90.0.0/24 dev dl-other\nlocal 10.90.0.253 dev dl-other table local\n", []Obstacle{{
			`network 10.90.0.0/24 is in use on this machine by lab "prod": interface dl-other has a route to 10.90.0.0/24`,
			"take that lab down (drover-lab --lab prod down), or give the inventory other addresses",
		}}},
		{"a wider route and a narrower one", "10.0.0.0/8 dev tun0\n10.90.0.128/25 dev eth1\n", []Obstacle{
			{"network 10.90.0.0/24 is in use on this machine: interface tun0 has a route to 10.0.0.0/8", "give the inventory other addresses"},
			{"network 10.90.0.0/24 is in use on this machine: interface eth1 has a route to 10.90.0.128/25", "give the inventory other addresses"},
		}},
	} {
		if diff := cmp.Diff(tc.want, overlaps(tc.routes, lab, owner)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, diff)
		}
	}
}

// Every obstacle is told, each with its fix.
func TestError(t *testing.T) {
	err := Error{{"no brakes", "fit some"}, {"no wheels", "buy four"}}
	want := "this machine cannot run the lab yet:\n  - no brakes\n    fix: fit some\n  - no wheels\n    fix: buy four"
	if err.Error() != want {
		t.Errorf("%s", err)
	}
}

// Missing tools are named with their packages, all at once.
func TestTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	found := tools()
	if len(found) != len(Tools()) {
		t.Errorf("without any tool: %d obstacles, want %d", len(found), len(Tools()))
	}
	for _, o := range found {
		if o.What == "command nft is missing" && o.Fix != "install the package nftables" {
			t.Errorf("%+v", o)
		}
	}
}

func TestRoom(t *testing.T) {
	w := Wanted{Lab: testLab(t), StateDir: filepath.Join(t.TempDir(), "not/there/yet"), CacheDir: t.TempDir(), CacheFull: true}
	var fs unix.Statfs_t
	if err := unix.Statfs(w.CacheDir, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < machineRoom {
		t.Skipf("this machine has no room for one machine, and cannot tell (%v)", err)
	}
	if found := room(w); len(found) > 0 {
		t.Errorf("one machine, and: %v", Error(found))
	}
	// A million machines fit nowhere: neither on disk nor in memory.
	w.Lab.Machines = make([]topology.Machine, 1<<20)
	found := Error(room(w)).Error()
	if !strings.Contains(found, "GiB free, the lab needs") || !strings.Contains(found, "1048576 machines need") {
		t.Errorf("a million machines: %s", found)
	}
}

func TestExisting(t *testing.T) {
	dir := t.TempDir()
	if got := existing(filepath.Join(dir, "a/b/c")); got != dir {
		t.Errorf("%s, want %s", got, dir)
	}
	if got := existing("/no-such/dir"); got != "/" {
		t.Errorf("%s, want /", got)
	}
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for command := range Tools() {
		if _, err := exec.LookPath(command); err != nil {
			t.Skip(err)
		}
	}
}

// What preflight tries out leaves nothing behind, whatever it finds.
func TestOverlay(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	if found := overlay(t.Context(), filepath.Join(dir, "labs")); len(found) > 0 {
		t.Skipf("no overlay here: %v", Error(found))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// proc takes no directory.
	if found := overlay(t.Context(), "/proc"); len(found) != 1 || !strings.HasPrefix(found[0].What, "cannot write below /proc: ") {
		t.Errorf("below /proc: %v", found)
	}
	// An overlay cannot lie on an overlay, as a lab inside of a container would.
	for _, d := range []string{"lower", "upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := `cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root && OVERLAY="$1/root" "$2" -test.run=TestOverlayOnOverlay -test.count=1 -test.v`
	out, err := exec.Command("unshare", "--mount", "sh", "-c", script, "sh", dir, os.Args[0]).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("on an overlay: %v: %s", err, out)
	}
}

// TestOverlayOnOverlay is run by TestOverlay, inside of an overlay.
func TestOverlayOnOverlay(t *testing.T) {
	dir := os.Getenv("OVERLAY")
	if dir == "" {
		t.Skip("run by TestOverlay")
	}
	found := overlay(t.Context(), dir)
	if len(found) != 1 || !strings.HasPrefix(found[0].What, "no overlay can be mounted in "+dir) {
		t.Errorf("found %v", Error(found))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCheck(t *testing.T) {
	w := Wanted{Lab: testLab(t), StateDir: t.TempDir(), CacheDir: t.TempDir(), CacheFull: true}
	if os.Geteuid() != 0 {
		var found Error
		if err := Check(t.Context(), w); !errors.As(err, &found) || len(found) != 1 || !strings.Contains(found[0].What, "is not root") {
			t.Errorf("not root: %v", err)
		}
		return
	}
	asRoot(t)
	for i := range w.Lab.Segments {
		w.Lab.Segments[i].Prefix = netip.MustParsePrefix("127.0.0.0/24") // in use everywhere
	}
	err := Check(t.Context(), w)
	if err == nil || !strings.Contains(err.Error(), "network 127.0.0.0/24 is in use on this machine: interface lo") {
		t.Errorf("a network in use: %v", err)
	}
}
