package puppet

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/internal/catalog"
)

// A catalog as the real Puppet keeps it is read, with the manifest's lines.
func TestARealCatalogIsRead(t *testing.T) {
	if _, err := os.Stat("/usr/bin/puppet"); err != nil {
		t.Skip("the package puppet-agent is not installed")
	}
	m := newMachine(t, t.TempDir(), real)
	manifest := m.path("site.pp")
	text := `# one
file { '/etc/drover/x.conf': content => Sensitive('hunter2') }
class hard {
  file { 'systemd units':
    ensure => directory, path => '/etc/systemd/system', recurse => true, purge => true, ignore => ['*.wants', 'keep.service'],
  }
  service { 'kubelet': ensure => stopped }
}
include hard
@file { '/etc/drover/y.conf': }
`
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	apply := exec.Command(m.path("bin/puppet"), "apply", "--noop", "--catalog_cache_terminus=json", manifest)
	apply.Env = append(os.Environ(), "DIR="+m.dir)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := LookAt(t.Context(), m, m.agent(), true)
	if err != nil || l.Managed.From != "catalog" || l.Managed.At.IsZero() || l.Managed.Why != "" {
		t.Fatalf("%v, %+v", err, l.Managed)
	}
	var got []string
	for _, c := range catalog.Conflicts(l.Managed.Managed, catalog.Claims{
		Files: []string{"/etc/drover/x.conf", "/etc/drover/y.conf", "/etc/systemd/system/etcd.service", "/etc/systemd/system/keep.service"},
		Units: []string{"kubelet.service"},
	}) {
		got = append(got, strings.ReplaceAll(c.String(), manifest, "site.pp"))
	}
	want := []string{
		"/etc/drover/x.conf: Puppet's File[/etc/drover/x.conf] writes it (site.pp:2)",
		"/etc/systemd/system/etcd.service: Puppet's File[systemd units] removes what is in that directory and not in its manifests (site.pp:4)",
		"kubelet.service: Puppet's Service[kubelet] starts, stops and restarts it (site.pp:7)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsKnownWithoutACatalog(t *testing.T) {
	m := newMachine(t, t.TempDir(), played)
	look := func() catalog.Managed {
		t.Helper()
		l, err := LookAt(t.Context(), m, m.agent(), true)
		if err != nil {
			t.Fatal(err)
		}
		return l.Managed.Managed
	}
	if got := look(); got.From != "" || got.Why != "" {
		t.Errorf("nothing is there: %+v", got)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("state/resources.txt", "file[/etc/a]\n")
	if got := look(); got.From != "resources.txt" || len(got.Resources) != 1 || got.Resources[0].String() != "File[/etc/a]" {
		t.Errorf("%+v", got)
	}
	write("client_data/catalog/node.example.net.json", "{")
	if got := look(); got.From != "resources.txt" || !strings.Contains(got.Why, "no catalog") {
		t.Errorf("a catalog that is cut: %+v", got)
	}
	write("client_data/catalog/node.example.net.json", `{"resources":[{"type":"File","title":"/etc/b"}]}`)
	if got := look(); got.From != "catalog" || len(got.Resources) != 1 || got.Resources[0].Title != "/etc/b" {
		t.Errorf("%+v", got)
	}
	if err := os.Truncate(m.path("client_data/catalog/node.example.net.json"), most+1); err != nil {
		t.Fatal(err)
	}
	if got := look(); got.From != "resources.txt" || !strings.Contains(got.Why, "more than drover reads") {
		t.Errorf("a catalog that is too large: %+v", got)
	}
}
