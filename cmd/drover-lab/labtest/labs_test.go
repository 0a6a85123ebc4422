package labtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
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
	t.Cleanup(func() { other.Run(t, "down") })
	other.Must(t, "up", other.inventory(t, 1, 0, 1))
	other.healthy(t)
	if got := l.SSH(t, "kube-master-1", "hostname -I"); !strings.HasPrefix(got, l.Net+".11") {
		t.Errorf("%s's kube-master-1 has addresses %s", l.Name, got)
	}
	if got := other.SSH(t, "kube-master-1", "hostname -I"); !strings.HasPrefix(got, other.Net+".11") {
		t.Errorf("%s's kube-master-1 has addresses %s", other.Name, got)
	}
	if out, err := other.Try(t.Context(), "kube-master-1", "ping -c1 -W1 "+l.Net+".11"); err == nil {
		t.Errorf("one lab reaches the other: %s", out)
	}
	r, err := labkit.Execute(exec.Command(os.Getenv("DROVER_LAB"), "--state-dir", stateDir, "status"))
	if err != nil || r.Code != 1 || !strings.Contains(r.Stderr, "there are 2 labs") || !strings.Contains(r.Stderr, l.Name) || !strings.Contains(r.Stderr, other.Name) {
		t.Errorf("want both named, and to be told to choose: %v %s", err, r)
	}
	// A cut in one is none in the other, also of machines of the same name.
	other.Must(t, "cut", "kube-master-1")
	if got := l.healthy(t).Cuts; len(got) > 0 {
		t.Errorf("%s has the cuts of %s: %v", l.Name, other.Name, got)
	}
	other.Must(t, "down")
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
	r := clash.Run(t, "up", clash.inventory(t, 1, 0, 0))
	if r.Code != 1 || !strings.Contains(r.Stderr, l.Net+".0/24") || !strings.Contains(r.Stderr, l.Name) {
		t.Errorf("want the network and the lab that has it: %s", r)
	}
	if err := before.awaitSame(nil); err != nil {
		t.Error(err)
	}
}

// Wrong calls and wrong inventories have exit codes of their own, and make
// nothing. (The scripts beside the command show what is said.)
func TestExitCodes(t *testing.T) {
	suite.Need(t)
	wrong := filepath.Join(labkit.WorkDir(), "wrong.hcl")
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
		if r := clashLab.Run(t, tc.args...); r.Code != tc.code {
			t.Errorf("want exit %d: %s", tc.code, r)
		}
	}
	if err := before.awaitSame(nil); err != nil {
		t.Error(err)
	}
}
