// Package puppet holds the tests of the Puppet module in drover. What it renders is
// judged by drover's own loader; Puppet's tools judge the rest where they are installed.
package puppet

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

const (
	base      = "drover/examples/00-cluster.hcl"
	fragments = "drover/spec/fixtures/fragments" // the specs hold the module to them
)

// run runs one of Puppet's programs in the module, which has to succeed. The test is
// skipped where there is none.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: `.ci/tools` installs it on Debian", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "drover"
	// A home of its own: programs of Puppet leave settings and caches behind.
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("drover", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	for i, f := range found {
		found[i] = strings.TrimPrefix(f, "drover/")
	}
	return found
}

func TestManifestsAreValid(t *testing.T) {
	own := []string{"--confdir", t.TempDir(), "--vardir", t.TempDir()}
	manifests := slices.Concat(files(t, "manifests/*.pp"), files(t, "functions/*.pp"), files(t, "types/*.pp"), files(t, "examples/*.pp"))
	run(t, "puppet", slices.Concat([]string{"parser", "validate"}, own, manifests)...)
	run(t, "puppet", slices.Concat([]string{"epp", "validate"}, own, files(t, "templates/*.epp"))...)
}

func TestLint(t *testing.T) {
	if out := run(t, "puppet-lint", "--fail-on-warnings", "."); strings.TrimSpace(out) != "" {
		t.Error(out)
	}
}

func TestSpecs(t *testing.T) {
	out := run(t, "rspec")
	if !strings.Contains(out, " 0 failures") {
		t.Error(out)
	}
}

// What hosts export and what people wrote are an inventory together.
func TestFragmentsLoad(t *testing.T) {
	c, problems := inventory.Load(base, fragments)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	problems = c.ReadyToProvision()
	if len(problems) > 0 {
		t.Error(problems)
	}
	got := map[string]string{}
	for _, h := range c.Hosts() {
		got[h.Name] = fmt.Sprint(h.Role, " ", h.Address, " ", h.FailureDomain, " ", h.Labels, " ", h.Taints, " ", h.Certname, " ", h.SSH.HostKey)
	}
	want := map[string]string{
		"kube-master-1": "kube_master 10.90.0.11  map[] [node-role.kubernetes.io/control-plane:NoSchedule] kube-master-1 ",
		"kube-node-1":   "kube_node 10.90.0.21 esx-02 map[] [] kube-node-1.example.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0nm6o5fRtF2iC8XyOPgJHZcFz6Rq8LVeKXbtcJ0rQm",
		"kube-node-2": "kube_node 10.90.0.22 rack_7.B map[example.net/rack:7 tier:web] [dedicated=gpu:NoSchedule slow:PreferNoSchedule] kube-node-2.example.net " +
			"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// `drover inventory fmt` and Puppet are not to write the same files in turns.
func TestFragmentsAreFormatted(t *testing.T) {
	names, problems := inventory.Files(base, fragments)
	if len(problems) > 0 || len(names) != 4 {
		t.Fatal(names, problems)
	}
	for _, name := range names {
		before, after, problems := inventory.Format(name)
		if diff := cmp.Diff(string(before), string(after)); diff != "" || len(problems) > 0 {
			t.Errorf("%s: %v (-is +should be):\n%s", name, problems, diff)
		}
	}
}

// A master whose fragment is late, or is no more, is named; what is there is not taken
// for all of the cluster. A host that says it is a master and is not listed is named, too.
func TestFragmentsThatAreMissing(t *testing.T) {
	c, problems := inventory.Load(base, filepath.Join(fragments, "kube-node-1.example.net.hcl"))
	if c != nil || !named(problems, inventory.CodeUnknownMaster, `masters names "kube-master-1", but there is no such kube_master`) {
		t.Errorf("without the master: %v", problems)
	}
	other := filepath.Join(t.TempDir(), "kube-master-2.hcl")
	if err := os.WriteFile(other, []byte("kube_master \"kube-master-2\" {\n  address = \"10.90.0.12\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems = inventory.Load(base, fragments, other)
	if c != nil || !named(problems, inventory.CodeUnlistedMaster, `kube_master "kube-master-2" is not in cluster.masters`) {
		t.Errorf("with one that is not listed: %v", problems)
	}
}

func named(problems diag.Problems, code, summary string) bool {
	return slices.ContainsFunc(problems, func(p diag.Problem) bool { return p.Code == code && p.Summary == summary })
}

// odd are texts that would be something else than a text if they were not quoted well.
var odd = map[string]string{
	"quotes":      `a" } kube_master "evil" { address = "10.66.6.6`,
	"backslashes": `a\`,
	"both":        `\" \\" \\\"`,
	"templates":   `${file("/etc/passwd")} $${a} $$${b} $$$${c}`,
	"directives":  `%{if true}a%{endif} %%{b} %%%{c}`,
	"lines":       "a\nkube_node \"evil\" {}\r\n\tb",
	"comments":    "a # b // c /* d",
	"heredocs":    "<<EOT\na\nEOT\n",
	"other signs": `é ü 漢 😀 ' ` + "`",
}

// Names are checked before they get into a fragment, and quoted so that nothing in them
// is taken for HCL were they not. Each text is rendered into every place that takes one,
// and found again there: complained of as the name that it is.
func TestOddTextsStayTexts(t *testing.T) {
	dir := t.TempDir()
	var manifest strings.Builder
	for i, kind := range slices.Sorted(maps.Keys(odd)) {
		text := puppetText(odd[kind])
		fmt.Fprintf(&manifest, `file { '%s/%d.hcl':
  content => epp('drover/host.hcl.epp', {
    'role' => 'kube_node', 'node_name' => %[3]s, 'certname' => %[3]s, 'address' => %[3]s, 'failure_domain' => %[3]s,
    'labels' => { %[3]s => %[3]s }, 'taints' => [%[3]s, %[3]s], 'host_key' => %[3]s,
  }),
}
`, dir, i, text)
	}
	site := filepath.Join(t.TempDir(), "site.pp")
	if err := os.WriteFile(site, []byte(manifest.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	run(t, "puppet", "apply", "--modulepath", modules, "--confdir", t.TempDir(), "--vardir", t.TempDir(), site)
	for i, kind := range slices.Sorted(maps.Keys(odd)) {
		t.Run(kind, func(t *testing.T) {
			name, text := filepath.Join(dir, fmt.Sprint(i)+".hcl"), odd[kind]
			_, problems := inventory.Load(base, filepath.Join(fragments, "kube-master-1.hcl"), name)
			for _, want := range []string{
				fmt.Sprintf("%q cannot be the name of a kube_node", text),
				fmt.Sprintf("failure_domain %q cannot be the value of a label", text),
				fmt.Sprintf("%q cannot be the key of a label", text),
				fmt.Sprintf("%q is not a taint", text),
			} {
				if !slices.ContainsFunc(problems, func(p diag.Problem) bool { return p.Summary == want }) {
					t.Errorf("no problem says %s", want)
				}
			}
			for _, p := range problems {
				if p.Code == inventory.CodeSyntax || strings.Contains(p.Summary, `"evil"`) && !strings.Contains(p.Summary, `\"evil`) {
					t.Error(p)
				}
			}
			if t.Failed() {
				content, err := os.ReadFile(name)
				t.Logf("%s\n%v\n%v", content, err, problems)
			}
		})
	}
}

// puppetText is a text as Puppet's language has it.
func puppetText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
