package inventory

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// The grammar of the inventory. A word is known exactly if it stands here.

type blockSpec struct {
	kind    string
	named   bool // carries one label: its name
	several bool // may occur more than once
	attrs   []attrSpec
	blocks  []blockSpec
}

type attrSpec struct {
	name     string
	example  string // as written in HCL; every fix shows it
	required bool
	secret   bool // may hold a sensitive value, and is never shown
}

// sample is how the attribute may be written.
func (a attrSpec) sample() string { return a.name + " = " + a.example }

var rootSpec = blockSpec{blocks: []blockSpec{
	clusterSpec, sshSpec, calicoSpec, bigipSpec, capacitySpec, hostSpec(RoleMaster), hostSpec(RoleNode),
}}

var clusterSpec = blockSpec{
	kind: "cluster", named: true,
	attrs: []attrSpec{
		{name: "kubernetes", example: `"1.37.2"`},
		{name: "masters", example: `["kube-master-1", "kube-master-2", "kube-master-3"]`},
		{name: "pod_cidr", example: `"10.100.0.0/16"`},
		{name: "service_cidr", example: `"10.101.0.0/16"`},
	},
	blocks: []blockSpec{apiSpec},
}

var apiSpec = blockSpec{
	kind:  "api",
	attrs: []attrSpec{{name: "endpoint", example: `"k8s.example.net:6443"`}},
}

var sshSpec = blockSpec{
	kind: "ssh",
	attrs: []attrSpec{
		{name: "user", example: `"ops"`},
		{name: "become", example: `"sudo"`},
		{name: "known_hosts", example: `"/etc/ssh/ssh_known_hosts"`},
		{name: "port", example: `22`},
		{name: "identity_file", example: `"~/.ssh/id_ed25519"`},
	},
}

var calicoSpec = blockSpec{
	kind: "calico",
	attrs: []attrSpec{
		{name: "version", example: `"3.30.1"`},
		{name: "as_number", example: `64512`},
		{name: "block_size", example: `26`},
	},
}

var bigipSpec = blockSpec{
	kind: "bigip", named: true, several: true,
	attrs: []attrSpec{
		{name: "peer_address", example: `"10.90.0.5"`, required: true},
		{name: "as_number", example: `64512`},
		{name: "password", example: `file("/etc/drover/bgp.secret")`, secret: true},
		{name: "manage", example: `"ssh"`},
		{name: "accept", example: `["192.0.2.0/24"]`},
	},
}

var capacitySpec = blockSpec{
	kind: "capacity",
	attrs: []attrSpec{
		{name: "profile", example: `"standard"`},
		{name: "tolerate", example: `1`},
	},
	blocks: []blockSpec{workloadSpec},
}

var workloadSpec = blockSpec{
	kind: "workload", named: true, several: true,
	attrs: []attrSpec{
		{name: "replicas", example: `120`, required: true},
		{name: "cpu", example: `"500m"`, required: true},
		{name: "memory", example: `"512Mi"`, required: true},
	},
}

func hostSpec(r Role) blockSpec {
	return blockSpec{
		kind: string(r), named: true, several: true,
		attrs: []attrSpec{
			{name: "address", example: `"10.90.0.11"`, required: true},
			{name: "failure_domain", example: `"esx-01"`},
			{name: "labels", example: `{ tier = "web" }`},
		},
	}
}

// hcl is the grammar as HCL wants it. Required attributes are left to
// block.missing, whose problem names the block and shows an example.
func (s blockSpec) hcl() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range s.attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, b := range s.blocks {
		header := hcl.BlockHeaderSchema{Type: b.kind}
		if b.named {
			header.LabelNames = []string{"name"}
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	return schema
}

func (s blockSpec) attr(name string) (attrSpec, bool) {
	i := slices.IndexFunc(s.attrs, func(a attrSpec) bool { return a.name == name })
	if i < 0 {
		return attrSpec{}, false
	}
	return s.attrs[i], true
}

func (s blockSpec) block(kind string) (blockSpec, bool) {
	i := slices.IndexFunc(s.blocks, func(b blockSpec) bool { return b.kind == kind })
	if i < 0 {
		return blockSpec{}, false
	}
	return s.blocks[i], true
}

func (s blockSpec) attrNames() []string {
	names := make([]string, len(s.attrs))
	for i, a := range s.attrs {
		names[i] = a.name
	}
	return names
}

func (s blockSpec) blockNames() []string {
	names := make([]string, len(s.blocks))
	for i, b := range s.blocks {
		names[i] = b.kind
	}
	return names
}

// header is how a block of this kind begins.
func (s blockSpec) header() string {
	if s.named {
		return s.kind + ` "NAME"`
	}
	return s.kind
}
