package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resources is a catalog of these, each at a line of its own.
func resources(t *testing.T, all ...string) Managed {
	t.Helper()
	var list []string
	for i, r := range all {
		list = append(list, fmt.Sprintf(`{"file":"site.pp","line":%d,"exported":false,%s}`, i+1, r))
	}
	parsed, err := Parse(strings.NewReader(`{"name":"node","resources":[` + strings.Join(list, ",") + `],"edges":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	return Managed{Resources: parsed, From: "catalog"}
}

func told(m Managed, c Claims) []string {
	out := []string{}
	for _, x := range Conflicts(m, c) {
		text := x.String()
		if x.Bearable {
			text += " bearable"
		}
		out = append(out, text)
	}
	return out
}

func TestConflicts(t *testing.T) {
	files := Claims{Files: []string{"/etc/kubernetes/kubelet.yaml", "/etc/sysctl.d/99-zz-drover.conf", "/opt/drover/etcd"}}
	for name, x := range map[string]struct {
		resource string
		claims   Claims
		want     string // none: empty
	}{
		"by title":                      {`"type":"File","title":"/etc/kubernetes/kubelet.yaml","parameters":{"content":"x"}`, files, "/etc/kubernetes/kubelet.yaml: Puppet's File[/etc/kubernetes/kubelet.yaml] writes it (site.pp:1)"},
		"by path":                       {`"type":"File","title":"kubelet","parameters":{"path":"/etc/kubernetes/kubelet.yaml","ensure":"absent"}`, files, "/etc/kubernetes/kubelet.yaml: Puppet's File[kubelet] removes it (site.pp:1)"},
		"another file":                  {`"type":"File","title":"/etc/kubernetes/other"`, files, ""},
		"a directory":                   {`"type":"File","title":"/etc/kubernetes","parameters":{"ensure":"directory","recurse":true}`, files, ""},
		"that is purged":                {`"type":"File","title":"/etc/kubernetes/","parameters":{"ensure":"directory","recurse":true,"purge":true}`, files, "/etc/kubernetes/kubelet.yaml: Puppet's File[/etc/kubernetes/] removes what is in that directory and not in its manifests (site.pp:1)"},
		"but of this file":              {`"type":"File","title":"/etc/kubernetes","parameters":{"recurse":true,"purge":true,"ignore":["*.bak","kubelet.*"]}`, files, ""},
		"from another place":            {`"type":"File","title":"/etc/kubernetes","parameters":{"recurse":"remote","purge":true}`, files, ""},
		"purged to no depth":            {`"type":"File","title":"/etc/kubernetes","parameters":{"recurse":true,"recurselimit":0,"purge":true}`, files, ""},
		"that is a link":                {`"type":"File","title":"/opt/drover","parameters":{"ensure":"link"}`, files, "/opt/drover/etcd: Puppet's File[/opt/drover] wants no directory there: ensure => link (site.pp:1)"},
		"with a like name":              {`"type":"File","title":"/opt/drov","parameters":{"ensure":"absent"}`, files, ""},
		"told only":                     {`"type":"File","title":"/etc/kubernetes/kubelet.yaml","parameters":{"noop":true}`, files, ""},
		"a line":                        {`"type":"File_line","title":"x","parameters":{"path":"/etc/kubernetes/kubelet.yaml","line":"y"}`, files, "/etc/kubernetes/kubelet.yaml: Puppet's File_line[x] writes it, or a part of it (site.pp:1)"},
		"fragments":                     {`"type":"Concat","title":"/etc/kubernetes/kubelet.yaml"`, files, "/etc/kubernetes/kubelet.yaml: Puppet's Concat[/etc/kubernetes/kubelet.yaml] writes it, or a part of it (site.pp:1)"},
		"a notice of that name":         {`"type":"Notify","title":"/etc/kubernetes/kubelet.yaml"`, files, ""},
		"taken away":                    {`"type":"File","title":"/etc/old"`, Claims{Gone: []string{"/etc/old"}}, "/etc/old: Puppet's File[/etc/old] writes it, and drover takes it away (site.pp:1)"},
		"taken away by both":            {`"type":"File","title":"/etc/old","parameters":{"ensure":"absent"}`, Claims{Gone: []string{"/etc/old"}}, ""},
		"a service":                     {`"type":"Service","title":"kubelet","parameters":{"ensure":"stopped"}`, Claims{Units: []string{"kubelet.service"}}, "kubelet.service: Puppet's Service[kubelet] starts, stops and restarts it (site.pp:1)"},
		"a service by its whole name":   {`"type":"Service","title":"k","parameters":{"name":"kubelet.service"}`, Claims{Units: []string{"kubelet.service"}}, "kubelet.service: Puppet's Service[k] starts, stops and restarts it (site.pp:1)"},
		"another service":               {`"type":"Service","title":"kubelet.socket"`, Claims{Units: []string{"kubelet.service"}}, ""},
		"a drop-in":                     {`"type":"File","title":"/etc/systemd/system/kubelet.service.d/10-site.conf","parameters":{"ensure":"file"}`, Claims{Units: []string{"kubelet.service"}}, "kubelet.service: Puppet's File[/etc/systemd/system/kubelet.service.d/10-site.conf] adds settings in a drop-in, /etc/systemd/system/kubelet.service.d/10-site.conf, that count more than drover's (site.pp:1) bearable"},
		"a setting in a drop-in":        {`"type":"Ini_setting","title":"x","parameters":{"path":"/etc/systemd/system/kubelet.service.d/a.conf"}`, Claims{Units: []string{"kubelet.service"}}, "kubelet.service: Puppet's Ini_setting[x] adds settings in a drop-in, /etc/systemd/system/kubelet.service.d/a.conf, that count more than drover's (site.pp:1) bearable"},
		"a drop-in that goes":           {`"type":"File","title":"/etc/systemd/system/kubelet.service.d/10-site.conf","parameters":{"ensure":"absent"}`, Claims{Units: []string{"kubelet.service"}}, ""},
		"a drop-in of another unit":     {`"type":"File","title":"/etc/systemd/system/ssh.service.d/10-site.conf"`, Claims{Units: []string{"kubelet.service"}}, ""},
		"what systemd does not read":    {`"type":"File","title":"/etc/systemd/system/kubelet.service.d/README"`, Claims{Units: []string{"kubelet.service"}}, ""},
		"a directory of drop-ins":       {`"type":"File","title":"/etc/systemd/system/kubelet.service.d","parameters":{"ensure":"directory"}`, Claims{Units: []string{"kubelet.service"}}, ""},
		"of a package":                  {`"type":"Service","title":"haproxy","parameters":{"ensure":"running"}`, Claims{Stopped: []string{"haproxy.service"}}, "haproxy.service: Puppet's Service[haproxy] starts it, and drover disables it: it has a unit and a configuration of its own for the same program (site.pp:1)"},
		"of a package, stopped":         {`"type":"Service","title":"haproxy","parameters":{"ensure":"stopped"}`, Claims{Stopped: []string{"haproxy.service"}}, ""},
		"a package":                     {`"type":"Package","title":"haproxy","parameters":{"ensure":"installed"}`, Claims{Packages: []string{"haproxy"}}, ""},
		"a package that goes":           {`"type":"Package","title":"haproxy","parameters":{"ensure":"purged"}`, Claims{Packages: []string{"haproxy"}}, "package haproxy: Puppet's Package[haproxy] removes it: ensure => purged (site.pp:1)"},
		"the latest":                    {`"type":"Package","title":"haproxy","parameters":{"ensure":"latest"}`, Claims{Packages: []string{"haproxy"}}, "package haproxy: Puppet's Package[haproxy] decides on its version: ensure => latest (site.pp:1) bearable"},
		"a runtime":                     {`"type":"Package","title":"containerd.io","parameters":{"ensure":"latest"}`, Claims{Units: []string{"containerd.service"}}, "containerd.service: Puppet's Package[containerd.io] installs another one: drover brings its own, in /opt/drover (site.pp:1)"},
		"a runtime that goes":           {`"type":"Package","title":"docker-ce","parameters":{"ensure":"absent"}`, Claims{Units: []string{"containerd.service"}}, ""},
		"a setting":                     {`"type":"Sysctl","title":"net.ipv4.ip_forward","parameters":{"value":"0"}`, Claims{Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}}, `sysctl net.ipv4.ip_forward: Puppet's Sysctl[net.ipv4.ip_forward] sets it to "0", and drover to "1" (site.pp:1)`},
		"of a number":                   {`"type":"Sysctl","title":"forward","parameters":{"name":"net.ipv4.ip_forward","value":0}`, Claims{Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}}, `sysctl net.ipv4.ip_forward: Puppet's Sysctl[forward] sets it to "0", and drover to "1" (site.pp:1)`},
		"to a large number":             {`"type":"Sysctl","title":"a.b","parameters":{"value":1048576}`, Claims{Sysctls: map[string]string{"a.b": "1048576"}}, ""},
		"set alike":                     {`"type":"Sysctl::Value","title":"a.b","parameters":{"value":"1\t2  3"}`, Claims{Sysctls: map[string]string{"a.b": "1 2 3"}}, ""},
		"by its key":                    {`"type":"Sysctl::Value","title":"x","parameters":{"key":"a.b","value":"2"}`, Claims{Sysctls: map[string]string{"a.b": "1"}}, `sysctl a.b: Puppet's Sysctl::Value[x] sets it to "2", and drover to "1" (site.pp:1)`},
		"in a file":                     {`"type":"File","title":"/etc/sysctl.d/10-hard.conf","parameters":{"content":"# hard\nnet/ipv4/ip_forward = 0\n"}`, Claims{Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}}, `sysctl net.ipv4.ip_forward: Puppet's File[/etc/sysctl.d/10-hard.conf] sets it to "0" in /etc/sysctl.d/10-hard.conf, and drover to "1" (site.pp:1)`},
		"swap":                          {`"type":"Mount","title":"swap","parameters":{"fstype":"swap","ensure":"present"}`, Claims{Units: []string{"kubelet.service"}}, "swap: Puppet's Mount[swap] turns swap on, with which the kubelet does not start (site.pp:1)"},
		"a disk":                        {`"type":"Mount","title":"/var/lib/etcd","parameters":{"fstype":"ext4","ensure":"mounted"}`, Claims{Units: []string{"kubelet.service"}, Files: []string{"/var/lib/etcd"}}, ""},
		"exported":                      {`"type":"File","title":"/etc/kubernetes/kubelet.yaml","exported":true`, files, ""},
		"of which the place is unknown": {`"type":"File","title":"/etc/kubernetes/kubelet.yaml","file":"","line":0`, files, "/etc/kubernetes/kubelet.yaml: Puppet's File[/etc/kubernetes/kubelet.yaml] writes it (its manifest is not known)"},
	} {
		want := []string{}
		if x.want != "" {
			want = append(want, x.want)
		}
		if d := cmp.Diff(want, told(resources(t, x.resource), x.claims)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// Where only titles are known, they are what tells.
func TestConflictsByTitles(t *testing.T) {
	parsed, err := ParseTitles(strings.NewReader("file[/etc/a]\nsysctl::value[a.b]\nclass[ntp]\npackage[haproxy]\nno line\nservice[haproxy]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := told(Managed{Resources: parsed, From: "resources.txt"}, Claims{
		Files: []string{"/etc/a"}, Sysctls: map[string]string{"a.b": "1"}, Packages: []string{"haproxy"}, Stopped: []string{"haproxy.service"},
	})
	want := []string{
		"/etc/a: Puppet's File[/etc/a] writes it (its manifest is not known)",
		"haproxy.service: Puppet's Service[haproxy] starts it, and drover disables it: it has a unit and a configuration of its own for the same program (its manifest is not known) bearable",
		"sysctl a.b: Puppet's Sysctl::Value[a.b] sets it, to what is not known (its manifest is not known) bearable",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A catalog holds secrets. Of those nothing is kept.
func TestNoSecretIsKept(t *testing.T) {
	m := resources(t, `"type":"File","title":"/etc/secret","parameters":{"content":"hunter2","path":{"__ptype":"Sensitive","__pvalue":"hunter2"}}`,
		`"type":"Mysql_user","title":"root","parameters":{"password_hash":"hunter2"}`)
	if text := fmt.Sprintf("%+v", m); strings.Contains(text, "hunter2") {
		t.Errorf("kept: %s", text)
	}
}

func TestNoCatalog(t *testing.T) {
	for _, text := range []string{"", "{", `{"name":"x"}`, "[]", `{"resources":1}`} {
		if _, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%q reads as a catalog", text)
		}
	}
}
