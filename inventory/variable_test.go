package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const withVariables = `
variable "machines" {
  description = "where the machines are"
  type        = string
  default     = "10.90.0.0/24"
}

variable "nodes" {
  type    = list(number)
  default = [1]
}

variable "bgp_password" {
  sensitive = true
  default   = null
}

variable "size" {
  type    = number
  default = 110
}

locals {
  name  = "${local.stem}-${local.first}"
  stem  = "kube-master"
}

locals {
  first = 1
}

cluster "c" {}

kube_master "m" {
  for_each = { (local.name) = "10.90.0.11" }
  name     = each.key
  address  = each.value
}

kube_node "kube-node" {
  for_each = var.nodes
  address  = cidrhost(var.machines, 20 + each.value)

  kubelet {
    max_pods = var.size + each.value
  }
}

bigip "f5" {
  peer_address = cidrhost(var.machines, 5)
  password     = var.bgp_password
}
`

// Of a variable's values, the one said last and nearest wins.
func TestVariables(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "i.hcl", withVariables)
	write(t, dir, "prod.vars", "machines = \"10.91.0.0/24\"\nnodes = [2, 3]\nsize = 50 + 50\nbgp_password = file(\"bgp.secret\")\n")
	write(t, dir, "prod.vars.json", `{"machines": "10.92.0.0/24"}`)
	write(t, dir, "bgp.secret", hunter2+"\n")
	vars, json := filepath.Join(dir, "prod.vars"), filepath.Join(dir, "prod.vars.json")
	for _, test := range []struct {
		name    string
		env     map[string]string
		options Options
		want    string
	}{
		{name: "defaults", want: "kube-node-1 10.90.0.21 111"},
		{name: "environment", env: map[string]string{"machines": "10.99.0.0/24", "nodes": "[7]", "other": "x"}, want: "kube-node-7 10.99.0.27 117"},
		{name: "file", env: map[string]string{"machines": "10.99.0.0/24", "size": "9"}, options: Options{VarFiles: []string{vars}},
			want: "kube-node-2 10.91.0.22 102, kube-node-3 10.91.0.23 103, hunter2"},
		{name: "two files", options: Options{VarFiles: []string{vars, json}}, want: "kube-node-2 10.92.0.22 102, kube-node-3 10.92.0.23 103, hunter2"},
		{name: "command line", options: Options{VarFiles: []string{vars}, Vars: []string{"nodes=[4]", "size=1", "size=2", "bgp_password=a=b"}},
			want: "kube-node-4 10.91.0.24 6, a=b"},
		{name: "no rows", options: Options{Vars: []string{"nodes=[]"}}, want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(envPrefix+name, value)
			}
			c, problems := test.options.Load(filepath.Join(dir, "i.hcl"))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var got []string
			for _, h := range c.KubeNodes {
				got = append(got, fmt.Sprintf("%s %s %d", h.Name, h.Address, h.Kubelet.MaxPods))
			}
			if p := c.BigIPs[0].Password; p.IsSet() {
				got = append(got, p.Reveal())
			}
			if d := cmp.Diff(test.want, strings.Join(got, ", ")); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if m := c.KubeMasters[0]; m.Name != "kube-master-1" || m.Address.String() != "10.90.0.11" {
				t.Errorf("got %s %s", m.Name, m.Address)
			}
		})
	}
}

// Variables, locals and rows are the same in the JSON form.
func TestVariablesJSON(t *testing.T) {
	const json = `{
	  "variable": {
	    "machines": {"description": "where the machines are", "type": "string", "default": "10.90.0.0/24"},
	    "nodes": {"type": "list(number)", "default": [1]},
	    "bgp_password": {"sensitive": true, "default": null},
	    "size": {"type": "number", "default": 110}
	  },
	  "locals": {"name": "${local.stem}-${local.first}", "stem": "kube-master", "first": 1},
	  "cluster": {"c": {}},
	  "kube_master": {"m": {"for_each": {"${local.name}": "10.90.0.11"}, "name": "${each.key}", "address": "${each.value}"}},
	  "kube_node": {"kube-node": {
	    "for_each": "${var.nodes}",
	    "address": "${cidrhost(var.machines, 20 + each.value)}",
	    "kubelet": {"max_pods": "${var.size + each.value}"}
	  }},
	  "bigip": {"f5": {"peer_address": "${cidrhost(var.machines, 5)}", "password": "${var.bgp_password}"}}
	}`
	o := Options{Vars: []string{"nodes=[1, 2]", "bgp_password=hunter2"}}
	want, problems := newDecoder().load(o, []file{{"i.hcl", []byte(withVariables)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, problems := newDecoder().load(o, []file{{"i.hcl.json", []byte(json)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if d := cmp.Diff(want, got, same); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// The rows of a map come by key, those of a list in its order, whatever their number.
func TestRows(t *testing.T) {
	for forEach, want := range map[string]string{
		`{ "2" = "b", "1" = "a" }`:  "n-1 a, n-2 b",
		`["2", "1"]`:                "n-2 2, n-1 1",
		`toset(["2", "1", "2"])`:    "n-1 1, n-2 2",
		`range(9, 11)`:              "n-9 9, n-10 10",
		`{}`:                        "",
		`{ 1 = { x = 1, y = "z" }}`: "n-1 map",
	} {
		text := fmt.Sprintf("cluster \"c\" {}\nkube_master \"m\" {\n  address = \"10.0.0.1\"\n}\nkube_node \"n\" {\n"+
			"  for_each = %s\n  address = cidrhost(\"10.0.1.0/24\", tonumber(each.key))\n  labels = { v = try(tostring(each.value), \"map\") }\n}\n", forEach)
		c, problems := newDecoder().load(Options{}, []file{{"i.hcl", []byte(text)}})
		var got []string
		if c == nil {
			t.Errorf("%s: %s", forEach, problems)
			continue
		}
		for _, h := range c.KubeNodes {
			got = append(got, h.Name+" "+h.Labels["v"])
		}
		if d := cmp.Diff(want, strings.Join(got, ", ")); d != "" {
			t.Errorf("%s: -want +got:\n%s", forEach, d)
		}
	}
}

// Mistakes in what is given besides the inventory, each by its exact message.
func TestWrongOptions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "i.hcl", withVariables)
	inventory := filepath.Join(dir, "i.hcl")
	write(t, dir, "wrong.vars", "machine = \"10.91.0.0/24\"\nnodes = \"x\"\nbgp_password = \"hunter2\nsize {\n}\n")
	write(t, dir, "broken.vars", "bgp_password = \"hunter2\n")
	write(t, dir, "unknown.vars", "size = var.x\nmachine = \"10.91.0.0/24\"\nnodes = \"x\"\n")
	for _, test := range []struct {
		name    string
		options Options
		want    string
	}{
		{"misspelt", Options{Vars: []string{"machine=x"}}, `--var machine: error: the inventory has no variable "machine"
  fix: did you mean "machines"?
`},
		{"undeclared", Options{Vars: []string{"colour=x"}}, `--var colour: error: the inventory has no variable "colour"
  fix: declare it: variable "colour" { }
`},
		{"no value", Options{Vars: []string{"machines"}}, `--var machines: error: it sets no value
  fix: write --var machines=VALUE
`},
		{"wrong type", Options{Vars: []string{"size=big"}}, `--var size: error: variable "size" must be number
  fix: give it a value of the type at DIR/i.hcl:19:13
`},
		{"no expression", Options{Vars: []string{"nodes=[1,"}}, `--var nodes: error: the value of variable "nodes" is no HCL expression
  Expected the start of an expression, but found the end of the file.
  fix: write it as in the inventory, in quotes for the shell: '["a", "b"]'
`},
		{"wrong element", Options{Vars: []string{`nodes=["a"]`}}, `--var nodes: error: variable "nodes" must be list(number)
  fix: give it a value of the type at DIR/i.hcl:9:13
`},
		{"no file", Options{VarFiles: []string{"DIR/none.vars"}}, `DIR/none.vars: error: cannot read the variables: no such file or directory
  fix: name a file of NAME = VALUE lines, or a JSON object, that this user may read
`},
		{"file", Options{VarFiles: []string{"DIR/unknown.vars"}}, `DIR/unknown.vars:1:8: error: size is not a value
  1 | size = var.x
    |        ^^^
  fix: put texts in quotes: size = VALUE

DIR/unknown.vars:2:1: error: the inventory has no variable "machine"
  2 | machine = "10.91.0.0/24"
    | ^^^^^^^
  fix: did you mean "machines"?

DIR/unknown.vars:3:9: error: variable "nodes" must be list(number), not a string
  3 | nodes = "x"
    |         ^^^
  fix: give it a value of the type at DIR/i.hcl:9:13
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, f := range test.options.VarFiles {
				test.options.VarFiles[i] = strings.ReplaceAll(f, "DIR", dir)
			}
			c, problems := test.options.Load(inventory)
			if d := cmp.Diff(test.want, strings.ReplaceAll(render(t, problems), dir, "DIR")); d != "" || c != nil {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
	for _, name := range []string{"wrong.vars", "broken.vars"} {
		_, problems := Options{VarFiles: []string{filepath.Join(dir, name)}}.Load(inventory)
		if s := render(t, problems); tells(s) || !problems.HasErrors() {
			t.Errorf("%s:\n%s", name, s)
		}
	}
}

// The default versions are those that the lab builds and tests.
func TestDefaultVersions(t *testing.T) {
	c := defaults(nil)
	for module, version := range map[string]string{
		"kubernetes.mod k8s.io/kubernetes":                   c.Kubernetes,
		"etcd.mod go.etcd.io/etcd/server/v3":                 c.Etcd.Version,
		"containerd.mod github.com/containerd/containerd/v2": c.Containerd.Version,
		"runc.mod github.com/opencontainers/runc":            c.Runc.Version,
		"cni.mod github.com/containernetworking/plugins":     c.CNI.Version,
		"coredns.mod github.com/coredns/coredns":             c.CoreDNS.Version,
	} {
		file, name, _ := strings.Cut(module, " ")
		src, err := os.ReadFile("../examples/lab/components/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(src), name+" v"+version) {
			t.Errorf("%s does not require %s v%s", file, name, version)
		}
	}
}
