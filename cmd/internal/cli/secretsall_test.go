package cli_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/internal/redact/redacttest"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// written are the files that an operation brings.
func written(t *testing.T, op hosttest.Op) (files []host.File) {
	t.Helper()
	if op.Argv[0] != "drover-write-files" {
		return nil
	}
	left := op.Stdin
	for argv := op.Argv[2:]; len(argv) >= 4; argv = argv[4:] {
		mode, err := strconv.ParseUint(argv[1], 8, 32)
		size, sizeErr := strconv.Atoi(argv[3])
		if err != nil || sizeErr != nil || size > len(left) {
			t.Fatalf("%q: %v %v, %d bytes are left", op.Argv, err, sizeErr, len(left))
		}
		files = append(files, host.File{Path: argv[0], Content: left[:size], FileMeta: host.FileMeta{Mode: fs.FileMode(mode), Owner: argv[2]}})
		left = left[size:]
	}
	return files
}

// secretsIn are those a run made by itself, as it wrote them on a host.
func secretsIn(files []host.File) (out []string) {
	h := heard{}
	for _, f := range files {
		h.text.Write(f.Content)
		h.text.WriteByte('\n')
	}
	keys, others := h.secrets()
	return append(keys, others...)
}

// leaky searches all that was asked of a machine. A secret may travel only over
// stdin: in a file that root alone may read, or, for the session's password, to a
// BIG-IP's shell.
func leaky(t *testing.T, h *redacttest.Hunt, m *hosttest.Host) {
	t.Helper()
	for _, op := range m.Ops() {
		for _, line := range append([]string{op.Line}, op.Argv...) {
			for _, what := range h.In(line) {
				t.Errorf("%s, operation %d: its command holds %s", m.Name(), op.N, what)
			}
		}
		if files := written(t, op); files != nil {
			for _, f := range files {
				if what := h.In(string(f.Content)); len(what) > 0 && (f.Mode&0o077 != 0 || f.Owner != "root:root") {
					t.Errorf("%s: %s is %s's with mode %04o and holds %s", m.Name(), f.Path, f.Owner, f.Mode, what[0])
				}
			}
			continue
		}
		for _, what := range h.In(string(op.Stdin)) {
			if op.Argv[0] != "imish" || !strings.HasPrefix(what, "the password of f5-a") {
				t.Errorf("%s, operation %d (%s): what it reads holds %s", m.Name(), op.N, op.Argv[0], what)
			}
		}
	}
}

// bigIP puts a BIG-IP behind SSH that drover configures.
func (f *fleet) bigIP(t *testing.T) *hosttest.Host {
	t.Helper()
	m := hosttest.New(t, "f5-a")
	m.Handle("imish", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	s := hosttest.Serve(t, m, hosttest.Config{})
	if err := s.Know(filepath.Join(f.dir, "known_hosts")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "inventory.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, `
bigip "f5-a" {
  peer_address = "192.0.2.250"
  as_number    = 64512
  password     = file("bgp.secret")
  manage       = "ssh"
  ssh {
    user          = "root"
    become        = "none"
    port          = %d
    identity_file = %q
  }
}
`, s.Port, s.KeyFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// Whatever is asked of drover on hosts that do as they are told: no secret is in a
// command, in a file that others may read, in anything told or kept.
func TestNoSecretLeavesItsWay(t *testing.T) {
	password := filepath.Join(t.TempDir(), "sudo.secret")
	if err := os.WriteFile(password, []byte(sudoSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, 2, hosttest.Config{User: "ops", Sudo: hosttest.Sudo{Password: sudoSecret}},
		fmt.Sprintf("user = \"ops\"\n  become = \"sudo\"\n  become_password = file(%q)", password), "")
	machines := append(slices.Clone(f.machines), f.bigIP(t))
	for _, m := range f.machines {
		m.HandleScript("drover() {", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} }) // units start
		for _, script := range []string{"# drover bird", "# drover reset look"} {
			m.HandleScript(script, func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
		}
	}
	told := map[string]string{} // what each verb said
	for n, args := range [][]string{
		{"validate"}, {"inventory", "show", "-o", "json"}, {"inventory", "show"}, {"facts", "-o", "json"}, {"preflight", "-o", "json"}, {"capacity", "-o", "json"},
		{"plan", "--out", filepath.Join(f.home, "plan.json")}, {"plan", "-o", "json"}, {"bgp", "render", "f5-a"},
		{"--log-format", "json", "apply", filepath.Join(f.home, "plan.json")},
		{"apply", "--auto-approve"}, {"plan", "-o", "json"}, {"status"}, {"status", "-o", "json"}, {"bgp", "status", "-o", "json"},
		{"kubeconfig"}, {"reset", "--confirm", "one", "--with-workloads"},
	} {
		var out, errs bytes.Buffer
		c := f.drover(t, args...)
		c.Stdout, c.Stderr = &out, &errs
		_ = c.Run() // no cluster comes up on fakes
		told[fmt.Sprintf("%d %s", n, strings.Join(args, " "))] = out.String() + errs.String()
	}
	var h redacttest.Hunt
	h.Add("the sudo password", sudoSecret)
	h.Add("the password of f5-a", bgpSecret)
	for _, m := range machines {
		for _, op := range m.Ops() {
			for i, secret := range secretsIn(written(t, op)) {
				h.Add(fmt.Sprintf("secret %d of operation %d on %s", i, op.N, m.Name()), secret)
			}
		}
	}
	if h.Size() < 150 {
		t.Errorf("%d forms to search for: the run made too few secrets", h.Size())
	}
	sent := func(op hosttest.Op) bool { return op.Argv[0] == "imish" && bytes.Contains(op.Stdin, []byte(bgpSecret)) }
	if !slices.ContainsFunc(machines[2].Ops(), sent) {
		t.Error("f5-a was not told its password")
	}
	for _, m := range machines {
		leaky(t, &h, m)
	}
	for verb, text := range told {
		for _, what := range h.In(text) {
			t.Errorf("%s tells %s", verb, what)
		}
	}
	kept := 0
	for _, dir := range []string{f.home, f.dir} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, ".secret") {
				return err
			}
			kept++
			text, err := os.ReadFile(name)
			for _, what := range h.In(string(text)) {
				t.Errorf("%s holds %s", name, what)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if kept < 12 {
		t.Errorf("only %d files were kept: logs are missing", kept)
	}
}
