package inventory

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows are hosts as drover writes them.
func rows() []Host {
	row := func(r Role, name, address string) Host {
		return Host{Role: r, Name: name, Address: netip.MustParseAddr(address), Certname: name + ".example.net"}
	}
	node := row(RoleNode, "kube-node-10", "10.90.0.30")
	node.SSH.HostKey, node.FailureDomain = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample", "esx-02"
	return []Host{
		node, row(RoleNode, "kube-node-9", "10.90.0.29"), row(RoleMaster, "kube-master-1", "10.90.0.11"),
		row(RoleNode, "kube-node", "10.90.0.20"), row(RoleNode, "kube-mode-1", "10.90.0.21"),
	}
}

func TestGenerated(t *testing.T) {
	text := Generated(rows(), "first line\nsecond line")
	golden(t, "testdata/generated.hcl", string(text))
	for range 20 {
		other := rows()
		slices.Reverse(other)
		if d := cmp.Diff(string(text), string(Generated(other, "first line\nsecond line"))); d != "" {
			t.Fatalf("another order, other bytes (-want +got):\n%s", d)
		}
	}
	read, err := ReadGenerated("puppetdb.hcl", text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range read {
		read[i].Where, read[i].SSH.Where, read[i].Taints, read[i].Kubelet = Where{}, Where{}, nil, Kubelet{}
	}
	if d := cmp.Diff(sortedHosts(rows()), read, same); d != "" {
		t.Errorf("read again (-want +got):\n%s", d)
	}
	if none, err := ReadGenerated("puppetdb.hcl", Generated(nil, "none")); err != nil || len(none) > 0 {
		t.Errorf("no rows: %v, %v", none, err)
	}
}

func TestWhatDroverHasNotWrittenIsNotItsOwn(t *testing.T) {
	text := string(Generated(rows(), "x"))
	for name, c := range map[string]struct {
		text   string
		edited bool
	}{
		"by hand":        {"kube_node \"n1\" {\n  address = \"10.90.0.21\"\n}\n", false},
		"empty":          {"", false},
		"edited":         {strings.Replace(text, "10.90.0.29", "10.90.0.39", 1), true},
		"added to":       {text + "# a comment\n", true},
		"digest cut":     {strings.Replace(text, "sha256:", "sha256:0", 1), true},
		"end is missing": {text[:len(text)-1], true},
	} {
		_, err := ReadGenerated("puppetdb.hcl", []byte(c.text))
		var e *NotGeneratedError
		if !errors.As(err, &e) || e.Edited != c.edited || !strings.Contains(err.Error(), "puppetdb.hcl") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An inventory whose hosts are in a file that is yet to be written loads in part,
// and as a whole with that file, though it is not there.
func TestLoadPart(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cluster.hcl", `cluster "c" {
  masters = ["kube-master-1"]
}

calico {
  topology         = "route_reflectors"
  route_reflectors = ["kube-node-9"]
}

preflight {
  waive "swap-on" {
    hosts  = ["kube-node-9"]
    reason = "it is borne"
  }
}

kube_node "kube-node-8" {
  address = "10.90.0.28"
}
`)
	if c, problems := Load(dir); c != nil || !problems.HasErrors() {
		t.Error("it is no inventory without them")
	}
	c, problems := Options{}.LoadPart(dir)
	if c == nil || len(problems) > 0 || c.Name != "c" || len(c.KubeNodes) != 1 {
		t.Fatalf("%v, %v", c, problems)
	}
	out := filepath.Join(dir, "puppetdb.hcl")
	o := Options{Instead: map[string][]byte{out: Generated(rows(), "x")}}
	if c, problems = o.Load(dir); c == nil || len(c.KubeMasters) != 1 || len(c.KubeNodes) != 5 {
		t.Errorf("%v, %v", c, problems)
	}

	// The file that is there is passed over, or read otherwise.
	if err := os.WriteFile(out, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, problems = o.Load(dir + "/."); c == nil || len(c.KubeNodes) != 5 {
		t.Errorf("%v, %v", c, problems)
	}
	if c, problems = (Options{Instead: map[string][]byte{out: nil}}).LoadPart(dir); c == nil || len(c.KubeNodes) != 1 {
		t.Errorf("%v, %v", c, problems)
	}
	if _, problems = (Options{Instead: map[string][]byte{out: make([]byte, maxFile+1)}}).Load(dir); len(problems) == 0 || !strings.Contains(problems.Error(), "larger than") {
		t.Errorf("too large: %v", problems)
	}

	// What is wrong with what there is, is.
	write(t, dir, "wrong.hcl", "kube_node \"kube-node-7\" {\n  adress = \"10.90.0.27\"\n}\n")
	if c, problems = (Options{Instead: map[string][]byte{out: nil}}).LoadPart(dir); c != nil || len(problems) != 1 {
		t.Errorf("%v, %v", c, problems)
	}
}

func TestHolds(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.hcl", "")
	for name, want := range map[string]bool{"b.hcl": true, "b.hcl.json": true, "a.hcl": true, ".b.hcl": false, "b.txt": false, "sub/b.hcl": false} {
		if Holds(filepath.Join(dir, name), dir) != want {
			t.Errorf("%s: not %v", name, want)
		}
	}
	if Holds(filepath.Join(dir, "b.hcl"), filepath.Join(dir, "a.hcl")) || !Holds(dir+"/./b.hcl", filepath.Join(dir, "b.hcl")) {
		t.Error("a file is another file")
	}
}

func TestPlainOnLoopback(t *testing.T) {
	for url, want := range map[string]bool{
		"https://puppetdb.example.net:8081": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true, "http://127.1.2.3": true,
		"http://puppetdb:8080": false, "http://10.0.0.1": false, "http://localhost.example.net": false, "http://127.0.0.1.example.net": false, "ftp://127.0.0.1": false, "": false, "http://\x00": false,
	} {
		if PlainOnLoopback(url) != want {
			t.Errorf("%s: not %v", url, want)
		}
	}
}
