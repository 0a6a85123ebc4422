package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// surveyed plays the survey of a machine on which nothing stands in the way but
// what is given.
func surveyed(ahead time.Duration, swap int) host.Result {
	var out bytes.Buffer
	now := fmt.Sprintf("%.9f\n", float64(time.Now().Add(ahead).UnixNano())/1e9)
	for _, part := range [][2]string{
		{"begin", now}, {"os", "ID=debian\nVERSION_ID=12\n"},
		{"machine", fmt.Sprintf("kernel=6.1\narch=x86_64\nhostname=m\ncpus=4\nmemory-kib=8000000\nswap-kib=%d\nlogin=root\n", swap)},
		{"resolv", "nameserver 10.0.0.53\n"}, {"commands", "ip sysctl nft haproxy conntrack\n"}, {"cgroup", "cgroup2fs\n"}, {"finish", now}, {"end", ""},
	} {
		fmt.Fprintf(&out, "@@drover-survey@@ %s\n%s", part[0], part[1])
	}
	return host.Result{Stdout: out.Bytes()}
}

func TestPreflight(t *testing.T) {
	b := newBare(t)
	code, stdout, stderr := b.drover("", "preflight", "--fail-on=warn")
	if want := "cluster one: 1 host: 0 FAIL, 0 WARN, 0 waived; nothing stands in the way\n"; code != 0 || stdout != want || stderr != "" {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	if n := b.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}

	b.clock = 5 * time.Second
	for want, args := range map[int][]string{0: {"preflight"}, 4: {"preflight", "--fail-on=warn"}} {
		if code, stdout, _ := b.drover("", args...); code != want || !strings.Contains(stdout, ": 0 FAIL, 1 WARN, 0 waived; nothing stands") {
			t.Errorf("%v: exit %d\n%s", args, code, stdout)
		}
	}

	b.clock, b.swap = 5*time.Minute, 1024
	code, stdout, _ = b.drover("", "preflight")
	for _, want := range []string{"FAIL    clock-offset  kube-master-1\n", "ahead of the one here", "FAIL    swap-on  kube-master-1\n", "        fix: `swapoff -a`", ": 2 FAIL, 0 WARN, 0 waived\n"} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
		}
	}
	code, stdout, _ = b.drover("", "preflight", "-o", "json")
	var doc struct {
		SchemaVersion int `json:"schema_version"`
		Hosts         []string
		Findings      []struct{ ID, Host, Severity, Measured, Wanted, Text, Fix, At string }
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || code != 1 || doc.SchemaVersion != 1 || len(doc.Hosts) != 1 || len(doc.Findings) != 2 ||
		doc.Findings[1].ID != "swap-on" || doc.Findings[1].Severity != "FAIL" || doc.Findings[1].Measured != "1.0 MiB" || !strings.Contains(doc.Findings[1].At, "inventory.hcl:") {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
	if b.touched() {
		t.Error("it touched the machine")
	}
}

// What stands in the way keeps apply from touching anything, also what was
// approved; what is waived does not.
func TestApplyStopsAtWhatStandsInTheWay(t *testing.T) {
	b := newBare(t)
	path, _ := b.save(t)
	if n := b.asked.Load(); n != 0 {
		t.Errorf("a plan asked %d times", n)
	}
	b.swap = 1024
	for _, args := range [][]string{{"apply", "--auto-approve"}, {"apply", path}} {
		code, _, stderr := b.drover("", args...)
		if code != 1 || !strings.Contains(stderr, "FAIL    swap-on  kube-master-1\n") || !strings.Contains(stderr, "nothing was touched") {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
		if b.touched() {
			t.Errorf("%v touched the machine", args)
		}
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "inventory.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "inventory.hcl", string(text)+"preflight {\n  waive \"swap-on\" { reason = \"it is small\" }\n}\n")
	if code, stdout, _ := b.drover("", "preflight"); code != 0 || !strings.Contains(stdout, "waived  swap-on  kube-master-1\n") || !strings.Contains(stdout, "because: it is small\n") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	b.machine.Forget()
	if _, _, stderr := b.drover("", "apply", "--auto-approve"); strings.Contains(stderr, "swap-on") || !b.touched() {
		t.Errorf("it is waived:\n%s", stderr)
	}
}

// Hosts that could not be asked are named, and are no hosts on which all is well.
func TestPreflightOfAHostThatIsAway(t *testing.T) {
	b := newBare(t)
	b.machine.HandleScript("# drover survey", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Stdout: []byte("@@drover-survey@@ begin\n1.5\n")}
	})
	for _, verb := range []string{"facts", "preflight"} {
		code, stdout, stderr := b.drover("", verb)
		if code != 1 || !strings.Contains(stderr, "kube-master-1 could not be asked: kube-master-1: surveying the host: its answer ended before its end") {
			t.Errorf("%s: exit %d\n%s\n%s", verb, code, stdout, stderr)
		}
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "inventory.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	port := strings.Index(string(text), "port ")
	b.write(t, "inventory.hcl", string(text[:port])+"port = 1 #"+string(text[port:])) // where nobody listens
	code, stdout, stderr := b.drover("", "preflight")
	if want := "cluster one: 0 hosts: 0 FAIL, 0 WARN, 0 waived; 1 host could not be asked: kube-master-1\n"; code != 69 || stdout != want || !strings.Contains(stderr, "unreachable") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
}
