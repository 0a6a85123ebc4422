package labtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// system runs a program of this machine, which has to succeed.
func system(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

// Two labs are up at once, and each is alone in its world.
func TestTwoLabsAtOnce(t *testing.T) {
	l, other := shared(t), otherLab
	ids := l.bootIDs(t)
	t.Cleanup(func() { other.run(t, "down") })
	other.must(t, "up", other.inventory(t, 1, 0, 1))
	other.healthy(t)
	if got := l.ssh(t, "kube-master-1", "hostname -I"); !strings.HasPrefix(got, l.net+".11") {
		t.Errorf("%s's kube-master-1 has addresses %s", l.name, got)
	}
	if got := other.ssh(t, "kube-master-1", "hostname -I"); !strings.HasPrefix(got, other.net+".11") {
		t.Errorf("%s's kube-master-1 has addresses %s", other.name, got)
	}
	if out, err := other.try(t.Context(), "kube-master-1", "ping -c1 -W1 "+l.net+".11"); err == nil {
		t.Errorf("one lab reaches the other: %s", out)
	}
	r, err := execute(exec.Command(os.Getenv("DROVER_LAB"), "--state-dir", stateDir, "status"))
	if err != nil || r.code != 1 || !strings.Contains(r.stderr, "there are 2 labs") || !strings.Contains(r.stderr, l.name) || !strings.Contains(r.stderr, other.name) {
		t.Errorf("want both named, and to be told to choose: %v %s", err, r)
	}
	// A cut in one is none in the other, also of machines of the same name.
	other.must(t, "cut", "kube-master-1")
	if got := l.healthy(t).Cuts; len(got) > 0 {
		t.Errorf("%s has the cuts of %s: %v", l.name, other.name, got)
	}
	other.must(t, "down")
	l.healthy(t)
	if diff := cmp.Diff(ids, l.bootIDs(t)); diff != "" {
		t.Errorf("taking one down touched the other (-before +after):\n%s", diff)
	}
}

// A network another lab has is refused, before anything is made.
func TestTwoLabsOnOneNetwork(t *testing.T) {
	l, clash := shared(t), clashLab
	before, err := takeTraces()
	if err != nil {
		t.Fatal(err)
	}
	r := clash.run(t, "up", clash.inventory(t, 1, 0, 0))
	if r.code != 1 || !strings.Contains(r.stderr, l.net+".0/24") || !strings.Contains(r.stderr, l.name) {
		t.Errorf("want the network and the lab that has it: %s", r)
	}
	if err := before.awaitSame(nil); err != nil {
		t.Error(err)
	}
}

// Wrong calls and wrong inventories have exit codes of their own, and make
// nothing. (The scripts beside the command show what is said.)
func TestExitCodes(t *testing.T) {
	need(t)
	wrong := filepath.Join(workDir(), "wrong.hcl")
	if err := os.WriteFile(wrong, []byte("cluster \"c\" {}\nkube_nod \"a\" { address = \"10.91.9.300\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := takeTraces()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		code int
		args []string
	}{
		{0, []string{"--help"}},
		{64, []string{"pu"}},
		{64, []string{"up", "--fast"}},
		{64, []string{"up", "one", "two"}},
		{64, []string{"shape", "kube-node-1"}},
		{64, []string{"power", "of", "kube-node-1"}},
		{65, []string{"up", wrong}},
		{65, []string{"up", wrong + ".missing"}},
		{1, []string{"status"}},
		{1, []string{"power", "on", "kube-node-1"}},
	} {
		if r := clashLab.run(t, tc.args...); r.code != tc.code {
			t.Errorf("want exit %d: %s", tc.code, r)
		}
	}
	if err := before.awaitSame(nil); err != nil {
		t.Error(err)
	}
}
