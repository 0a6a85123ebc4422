package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
)

// lab is one lab of the suites, driven by the command line.
type lab struct {
	name string
	net  string // the first three bytes of its network
}

func (l lab) flags(args ...string) []string {
	return append([]string{"--state-dir", stateDir, "--lab", l.name}, args...)
}

// run runs drover-lab to its end, whatever that is.
func (l lab) run(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, "", os.Getenv("DROVER_LAB"), l.flags(args...)...)
}

// must runs drover-lab, which has to succeed, and returns what it printed.
func (l lab) must(t testing.TB, args ...string) string {
	t.Helper()
	r := l.run(t, args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

// ssh runs a shell script as root on a machine; it has to succeed.
func (l lab) ssh(t testing.TB, machine, script string) string {
	t.Helper()
	out, err := l.try(t.Context(), machine, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try runs a shell script as root on a machine; for checks of several at once.
func (l lab) try(ctx context.Context, machine, script string) (string, error) {
	r, err := execute(ctx, "", os.Getenv("DROVER_LAB"), l.flags("ssh", machine, "sudo sh -c "+quote(script))...)
	if err == nil && r.code != 0 {
		err = errors.New(r.String())
	}
	return strings.TrimSpace(r.stdout), err
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// each does the same for every name at once.
func each(names []string, do func(name string)) {
	var wg sync.WaitGroup
	for _, n := range names {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}

// component is the path of a program in drover-lab's cache.
func component(t testing.TB, name string) string {
	t.Helper()
	for _, s := range components(t).Sets {
		for _, a := range s.Artifacts {
			if a.Component == name {
				return a.File
			}
		}
	}
	t.Fatalf("components list has no %s", name)
	return ""
}

// image is an image's name with its tag.
func image(t testing.TB, name string) string {
	t.Helper()
	for _, s := range components(t).Sets {
		for _, i := range s.Images {
			if strings.HasPrefix(i.Name, name+":") {
				return i.Name
			}
		}
	}
	t.Fatalf("components list has no image %s", name)
	return ""
}

// list is what `components list -o json` says.
type list struct {
	Sets []struct {
		Artifacts []struct{ Component, File string }
		Images    []struct{ Name string }
	}
}

func components(t testing.TB) list {
	t.Helper()
	var l list
	if err := json.Unmarshal([]byte(oneLab.must(t, "components", "list", "-o", "json")), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// shape is what an inventory of a lab says.
type shape struct {
	Masters, Nodes, Routers int
	Cluster                 string // its name; the lab's when empty
	MaxPods                 int    // 0: drover's default
	APIServerArgs           map[string]string
	// Manual is how long a router that is managed by hand is waited for, by its
	// name; drover configures the others.
	Manual map[string]string
	Push   bool // hosts are sent their releases
	// Unknown are masters that are named and not described.
	Unknown []string
}

func (s shape) masters() []string { return numbered("kube-master", s.Masters) }
func (s shape) nodes() []string   { return numbered("kube-node", s.Nodes) }
func (s shape) hosts() []string   { return append(s.masters(), s.nodes()...) }

func (s shape) routers() []string {
	var names []string
	for n := range s.Routers {
		names = append(names, fmt.Sprintf("f5-%c", 'a'+n))
	}
	return names
}

func numbered(word string, count int) []string {
	var names []string
	for n := range count {
		names = append(names, fmt.Sprintf("%s-%d", word, n+1))
	}
	return names
}

// address is where a machine of the lab is.
func (l lab) address(name string) string {
	var n int
	var letter rune
	switch {
	case match(name, "kube-master-%d", &n):
		n += 10
	case match(name, "kube-node-%d", &n):
		n += 20
	case match(name, "f5-%c", &letter):
		n = 5 + int(letter-'a')
	}
	return fmt.Sprintf("%s.%d", l.net, n)
}

func match(s, format string, to any) bool {
	_, err := fmt.Sscanf(s, format, to)
	return err == nil
}

const (
	podCIDR     = "10.100.0.0/16"
	serviceCIDR = "10.101.0.0/16"
)

// The last blocks are due to machines that share a kernel and a disk, as in
// examples/lab. The first BIG-IP is in the cluster's AS, others are not.
var inventoryTemplate = template.Must(template.New("inventory").Parse(`
cluster "{{.Cluster}}" {
  masters      = [{{range .masters}}"{{.}}", {{end}}{{range .Unknown}}"{{.}}", {{end}}]
  pod_cidr     = "` + podCIDR + `"
  service_cidr = "` + serviceCIDR + `"
}
ssh {
  user          = "ops"
  become        = "sudo"
  known_hosts   = "{{.dir}}/known_hosts"
  identity_file = "{{.dir}}/id_ed25519"
}
artifacts {
  mirror        = "http://{{.net}}.252"
  registry      = "{{.net}}.252:5000"
  registry_http = true
  pull          = "{{if .Push}}push{{else}}hosts{{end}}"
}
{{range .masters}}kube_master "{{.}}" {
  address        = "{{call $.address .}}"
  failure_domain = "{{.}}"
}
{{end}}{{range .nodes}}kube_node "{{.}}" {
  address        = "{{call $.address .}}"
  failure_domain = "{{.}}"
}
{{end}}{{range $i, $name := .routers}}bigip "{{.}}" {
  peer_address = "{{call $.address .}}"
  as_number    = {{if $i}}64513{{else}}64512{{end}}
  {{with index $.Manual $name}}manage = "manual"
  wait = "{{.}}"{{else}}manage = "ssh"{{end}}
  ssh {
    user   = "root"
    become = "none"
  }
}
{{end}}apiserver {
  extra_args = { {{range $k, $v := .APIServerArgs}}"{{$k}}" = "{{$v}}" {{end}} }
}
kubelet {
  {{if .MaxPods}}max_pods = {{.MaxPods}}{{end}}
  config = {
    failCgroupV1 = false
    cgroupDriver = "cgroupfs"
    evictionHard = {
      "memory.available"  = "50Mi"
      "nodefs.available"  = "1%"
      "nodefs.inodesFree" = "1%"
      "imagefs.available" = "1%"
    }
  }
}
containerd {
  systemd_cgroup         = false
  restrict_oom_score_adj = true
}
kube_proxy {
  config = { conntrack = { maxPerCore = 0 } }
}
`))

// inventory writes an inventory of the lab and returns its path. The name tells
// several of one lab apart.
func (l lab) inventory(t testing.TB, name string, s shape) string {
	t.Helper()
	if s.Cluster == "" {
		s.Cluster = l.name
	}
	var b strings.Builder
	err := inventoryTemplate.Execute(&b, map[string]any{
		"Cluster": s.Cluster, "Unknown": s.Unknown, "APIServerArgs": s.APIServerArgs, "MaxPods": s.MaxPods, "Manual": s.Manual, "Push": s.Push,
		"masters": s.masters(), "nodes": s.nodes(), "routers": s.routers(),
		"dir": filepath.Join(stateDir, l.name), "net": l.net, "address": l.address,
	})
	path := filepath.Join(workDir(), name+".hcl")
	if err == nil {
		err = os.WriteFile(path, []byte(b.String()), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
