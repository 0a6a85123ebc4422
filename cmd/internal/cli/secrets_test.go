package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/internal/redact/redacttest"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

const (
	sudoSecret = "sudo's secret: 'quoted'"
	bgpSecret  = "bgp-s3cret-of-f5-a"
)

// heard is what went over the stdin of hosts, which is where secrets travel.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

var encryption = regexp.MustCompile(`secret"?: *"?([A-Za-z0-9+/]{43}=)`)

// secrets are those that a run made by itself and sent.
func (h *heard) secrets() (keys, others []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys = redacttest.KeyLines(h.text.String())
	for _, m := range encryption.FindAllStringSubmatch(h.text.String(), -1) {
		others = append(others, m[1])
	}
	return keys, others
}

// awaitStarted waits until the log of the only run says that these are under way.
func (f *fleet) awaitStarted(t *testing.T, whats ...string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limitOfRun); ; <-tick.C {
		started := ""
		names, _ := filepath.Glob(filepath.Join(f.home, ".local/state/drover/runs/*-apply.jsonl")) // the pattern is well formed
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, `"kind":"started"`) {
					started += line
				}
			}
		}
		if !slices.ContainsFunc(whats, func(what string) bool { return !strings.Contains(started, what) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all of %q were under way:\n%s", whats, started)
		}
	}
}

// Hosts that repeat their input in errors, sudo that wants a password, a password
// in the inventory and one on the command line: none is in what is told or kept,
// in whatever form.
func TestNoSecretIsToldOrKept(t *testing.T) {
	f := newFleet(t, 2, hosttest.Config{User: "ops", Sudo: hosttest.Sudo{Password: sudoSecret}},
		`user = "ops"
  become = "sudo"
  become_password = var.password`, `
variable "password" {
  sensitive = true
  default   = "none"
}
bigip "f5-a" {
  peer_address = "192.0.2.250"
  as_number    = 64512
  password     = file("bgp.secret")
}`)
	if err := os.WriteFile(filepath.Join(f.dir, "bgp.secret"), []byte(bgpSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	var all heard
	n := 0
	for _, m := range f.machines {
		m.Handle("drover-write-files", func(_ *hosttest.State, c hosttest.Call) host.Result {
			all.mu.Lock()
			defer all.mu.Unlock()
			all.text.Write(c.Stdin)
			n++
			said := sudoSecret + "\n" + bgpSecret + "\n" + string(c.Stdin)
			return host.Result{Exit: 1 + n%2, Stdout: []byte(said), Stderr: []byte(said)}
		})
		m.HandleScript("drover() {", func(_ *hosttest.State, c hosttest.Call) host.Result {
			return host.Result{Exit: 1, Stderr: []byte(sudoSecret + bgpSecret)}
		})
		m.HandleScript("# drover evidence", func(*hosttest.State, hosttest.Call) host.Result {
			return host.Result{Stdout: []byte("it was given " + sudoSecret + " and " + bgpSecret)}
		})
	}
	for _, format := range []string{"text", "json"} {
		// The first refusal ends the host's chain: what makes secrets is to be under way.
		begun, let := held(f.machines[0])
		r := start(t, f.drover(t, "--var", "password="+sudoSecret, "--log-format", format, "apply", "--auto-approve"))
		waitFor(t, "a write", begun)
		f.awaitStarted(t, "/encryption-config.yaml", "/pki/ca.key", "/pki/etcd/ca.key", "/pki/sa.key")
		let()
		r.end(t, limitOfRun)
		if !strings.Contains(r.errs.String(), "exit code") {
			t.Fatalf("no host failed:\n%s\n%s", &r.out, &r.errs)
		}
		log, lines := f.log(t, "apply")
		for _, e := range lines {
			if e["kind"] == "command" && e["host"] == "kube-master-1" && e["sent"].(float64) > 0 && e["received"].(float64) > 0 {
				lines = nil
				break
			}
		}
		if lines != nil {
			t.Error("no command is in the log with its bytes")
		}
		keys, others := all.secrets()
		if len(keys) < 10 || len(others) < 1 {
			t.Fatalf("%d lines of keys and %d other secrets were sent: too few to look for", len(keys), len(others))
		}
		for where, text := range map[string]string{"log": log, "standard output": r.out.String(), "standard error": r.errs.String()} {
			for _, secret := range append(append(others, keys...), sudoSecret, strings.Split(sudoSecret, "'quoted'")[0], bgpSecret, "PRIVATE KEY") {
				if at := strings.Index(text, secret); at >= 0 {
					t.Errorf("%s: %s holds %q:\n%s", format, where, secret, text[max(0, at-200):min(len(text), at+100)])
				}
			}
		}
		if t.Failed() {
			return
		}
		if err := os.RemoveAll(filepath.Join(f.home, ".local")); err != nil {
			t.Fatal(err)
		}
	}
}
