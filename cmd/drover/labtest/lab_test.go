package labtest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// lab is one lab of the suites. Scripts run as root on its machines.
type lab struct{ labkit.Lab }

// ssh runs a shell script as root on a machine; it has to succeed.
func (l lab) ssh(t testing.TB, machine, script string) string {
	t.Helper()
	return l.SSH(t, machine, asRoot(script))
}

// try runs a shell script as root on a machine; for checks of several at once.
func (l lab) try(ctx context.Context, machine, script string) (string, error) {
	return l.Try(ctx, machine, asRoot(script))
}

func asRoot(script string) string { return "sudo sh -c " + quote(script) }

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shape is what an inventory of a lab says.
type shape struct {
	Masters, Nodes, Routers int
	Cluster                 string // its name; the lab's when empty
	MaxPods                 int    // 0: drover's default
	APIServerArgs           map[string]string
	EtcdArgs                map[string]string
	// Manual is how long a router that is managed by hand is waited for, by its
	// name; drover configures the others.
	Manual map[string]string
	Push   bool   // hosts are sent their releases
	FanOut bool   // hosts hand them on
	Mirror string // the lab's own when empty
	// Waived are checks of the preflight that nobody heeds.
	Waived []string
	// Unknown are masters that are named and not described.
	Unknown []string
	// Missing are hosts that nothing names.
	Missing []string
	// At is where hosts are said to be, of those that are said to be elsewhere.
	At         map[string]string
	KnownHosts string // the lab's own when empty
	// User is who drover logs in as, "ops" when empty, and SudoPassword a file with
	// what sudo asks of them.
	User, SudoPassword string
	BGPPassword        string            // a file with that of all sessions, if they have one
	Identity           string            // the key that drover logs in with; the lab's when empty
	Install            bool              // OS packages may be installed
	Waive              map[string]string // checks of the preflight, and why
	Lock               string            // the suite's when empty
	// Access is how hosts are reached, RouterAccess what differs for routers: attributes
	// of ssh. The lab's own way when empty.
	Access, RouterAccess string
	// These are the cluster's for good; drover's defaults, or podCIDR and
	// serviceCIDR, when empty.
	Kubernetes, PodCIDR, ServiceCIDR string
	BlockSize                        int
}

func (s shape) masters() []string { return s.numbered("kube-master", s.Masters) }
func (s shape) nodes() []string   { return s.numbered("kube-node", s.Nodes) }
func (s shape) hosts() []string   { return append(s.masters(), s.nodes()...) }

func (s shape) routers() []string {
	var names []string
	for n := range s.Routers {
		names = append(names, fmt.Sprintf("f5-%c", 'a'+n))
	}
	return names
}

func (s shape) numbered(word string, count int) []string {
	var names []string
	for n := range count {
		if name := fmt.Sprintf("%s-%d", word, n+1); !slices.Contains(s.Missing, name) {
			names = append(names, name)
		}
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
	return fmt.Sprintf("%s.%d", l.Net, n)
}

// at is where the inventory has a host.
func (c *cluster) at(host string) string { return cmp.Or(c.At[host], c.address(host)) }

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
cluster "{{.shape.Cluster}}" {
  masters      = [{{range .masters}}"{{.}}", {{end}}{{range .shape.Unknown}}"{{.}}", {{end}}]
  pod_cidr     = "{{or .shape.PodCIDR "` + podCIDR + `"}}"
  service_cidr = "{{or .shape.ServiceCIDR "` + serviceCIDR + `"}}"
  {{with .shape.Kubernetes}}kubernetes = "{{.}}"{{end}}
}
{{with .shape.Waived}}preflight {
{{range .}}  waive "{{.}}" {
    reason = "to see what comes of it"
  }
{{end}}}
{{end}}{{with .shape.BlockSize}}calico {
  block_size = {{.}}
}
{{end -}}
ssh {
  become        = "sudo"
  {{with .shape.SudoPassword}}become_password = file("{{.}}"){{end}}
  {{with .shape.Access}}{{.}}{{else}}user          = "{{or .shape.User "ops"}}"
  known_hosts   = "{{or .shape.KnownHosts (print .dir "/known_hosts")}}"
  identity_file = "{{or .shape.Identity (print .dir "/id_ed25519")}}"{{end}}
}
{{if .shape.Install}}packages {
  install = true
}
{{end}}{{with .shape.Waive}}preflight {
{{range $check, $reason := .}}  waive "{{$check}}" {
    reason = "{{$reason}}"
  }
{{end}}}
{{end -}}
artifacts {
  mirror        = "{{or .shape.Mirror (print "http://" .net ".252")}}"
  registry      = "{{.net}}.252:5000"
  registry_http = true
  pull          = "{{if .shape.Push}}push{{else}}hosts{{end}}"
  fan_out       = {{.shape.FanOut}}
  {{with .shape.Lock}}lock = "{{.}}"{{end}}
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
  {{with $.shape.BGPPassword}}password = file("{{.}}"){{end}}
  {{with index $.shape.Manual $name}}manage = "manual"
  wait = "{{.}}"{{else}}manage = "ssh"{{end}}
  ssh {
    user   = "root"
    become = "none"
    {{$.shape.RouterAccess}}
  }
}
{{end}}apiserver {
  extra_args = { {{range $k, $v := .shape.APIServerArgs}}"{{$k}}" = "{{$v}}" {{end}} }
}
etcd {
  extra_args = { {{range $k, $v := .shape.EtcdArgs}}"{{$k}}" = "{{$v}}" {{end}} }
}
kubelet {
  {{if .shape.MaxPods}}max_pods = {{.shape.MaxPods}}{{end}}
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
		s.Cluster = l.Name
	}
	var b strings.Builder
	err := inventoryTemplate.Execute(&b, map[string]any{
		"shape": s, "masters": s.masters(), "nodes": s.nodes(), "routers": s.routers(),
		"dir": filepath.Join(stateDir, l.Name), "net": l.Net,
		"address": func(name string) string { return cmp.Or(s.At[name], l.address(name)) },
	})
	path := filepath.Join(labkit.WorkDir(), name+".hcl")
	if err == nil {
		err = os.WriteFile(path, []byte(b.String()), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
