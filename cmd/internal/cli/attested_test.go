package cli_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/puppetdbtest"
)

// A run's host keys come from PuppetDB where known_hosts has none: by one question, and
// for those that it can be asked about.
func TestHostKeysFromPuppetDB(t *testing.T) {
	pdb := puppetdbtest.Serve(t)
	f := newFleet(t, 3, hosttest.Config{}, "", fmt.Sprintf(`
puppetdb {
  url       = %q
  cert      = %q
  key       = %q
  ca        = %q
  host_keys = true
}
`, pdb.URL, pdb.Cert, pdb.Key, pdb.CA))
	// Each host has its certname, and PuppetDB its key.
	file := filepath.Join(f.dir, "inventory.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	certname := regexp.MustCompile(`(?m)^(kube_\w+ "(.*)" \{)$`)
	if err := os.WriteFile(file, certname.ReplaceAll(text, []byte("$1\n  certname = \"$2.example.net\"")), 0o600); err != nil {
		t.Fatal(err)
	}
	knownHosts := filepath.Join(f.dir, "known_hosts")
	known, err := os.ReadFile(knownHosts)
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for line := range strings.Lines(string(known)) {
		blob, err := base64.StdEncoding.DecodeString(strings.Fields(line)[2])
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, blob)
	}
	if len(keys) != 3 {
		t.Fatalf("%s", known)
	}
	nodes := func() []puppetdbtest.Node {
		var list []puppetdbtest.Node
		for i, name := range []string{"kube-master-1", "kube-node-1", "kube-node-2"} {
			list = append(list, puppetdbtest.Host(name+".example.net", "one", "x", "192.0.2.1", keys[i]))
		}
		return list
	}
	old, differs, off := nodes(), nodes(), nodes()
	old[1].FactsAt = time.Now().Add(-3*time.Hour - 30*time.Second)
	differs[1] = puppetdbtest.Host("kube-node-1.example.net", "one", "x", "192.0.2.1", keys[2])
	off[1].Deactivated = time.Now()
	for name, c := range map[string]struct {
		nodes   []puppetdbtest.Node
		trouble puppetdbtest.Trouble
		known   string
		code    int
		words   []string
	}{
		"all are told":        {nodes(), puppetdbtest.Trouble{}, "", 0, nil},
		"known as well":       {nodes(), puppetdbtest.Trouble{}, string(known), 0, nil},
		"one differs":         {differs, puppetdbtest.Trouble{}, "", 77, []string{"kube-node-1: its host key DIFFERS from PuppetDB's ssh fact of kube-node-1.example.net, of 1m"}},
		"known, and differs":  {differs, puppetdbtest.Trouble{}, string(known), 77, []string{"kube-node-1: its host key DIFFERS"}},
		"one is old":          {old, puppetdbtest.Trouble{}, "", 77, []string{"kube-node-1: its host key is not known", "is 3h0m", "believed for 2h0m0s (puppetdb.max_age)"}},
		"old, but known":      {old, puppetdbtest.Trouble{}, string(known), 0, nil},
		"one is deactivated":  {off, puppetdbtest.Trouble{}, "", 77, []string{"PuppetDB knows no active host kube-node-1.example.net with facts"}},
		"it is down":          {nodes(), puppetdbtest.Trouble{Status: 503}, "", 77, []string{"warning: PuppetDB could not be asked for SSH host keys", "503 Service Unavailable", "kube-node-2: its host key is not known", "; PuppetDB could not be asked for it"}},
		"it is down, known":   {nodes(), puppetdbtest.Trouble{Status: 503}, string(known), 0, []string{"warning: PuppetDB could not be asked for SSH host keys"}},
		"it ends in half":     {nodes(), puppetdbtest.Trouble{Cut: true}, "", 77, []string{"it ended before its end", "kube-master-1: its host key is not known"}},
		"nobody is there yet": {nil, puppetdbtest.Trouble{}, "", 77, []string{"PuppetDB knows no active host kube-master-1.example.net"}},
	} {
		t.Run(name, func(t *testing.T) {
			pdb.Set(c.nodes...)
			pdb.Make(c.trouble)
			if err := os.WriteFile(knownHosts, []byte(c.known), 0o600); err != nil {
				t.Fatal(err)
			}
			before := len(pdb.Asked())
			out, err := f.drover(t, "facts", "--log-dir", "none").CombinedOutput()
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, out)
			}
			for _, word := range c.words {
				if !strings.Contains(string(out), word) {
					t.Errorf("%q is not said\n%s", word, out)
				}
			}
			if c.words == nil && strings.Contains(string(out), "warning") {
				t.Errorf("%s", out)
			}
			if asked := len(pdb.Asked()) - before; asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			if c.code == 77 && len(c.words) == 1 && !strings.Contains(string(out), "kube-node-2") {
				t.Errorf("the others are not done\n%s", out)
			}
		})
	}
}
