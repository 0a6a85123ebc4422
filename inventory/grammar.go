package inventory

import "slices"

// The grammar of the inventory. A word is known exactly if it stands here.

var rootSpec = blockSpec{blocks: []blockSpec{
	variableSpec, localsSpec,
	clusterSpec, sshSpec, artifactsSpec,
	etcdSpec, componentSpec("runc", `"1.3.6"`), componentSpec("cni", `"1.9.1"`), componentSpec("pause", `"3.10.1"`),
	containerdSpec, kubeletSpec, kubeProxySpec,
	programSpec("apiserver"), programSpec("controller_manager"), programSpec("scheduler"),
	corednsSpec, calicoSpec, bigipSpec, capacitySpec, preflightSpec, packagesSpec, puppetSpec, puppetdbSpec, hostSpec(RoleMaster), hostSpec(RoleNode),
}}

var variableSpec = blockSpec{
	kind: "variable", named: true, several: true,
	attrs: []attrSpec{
		{name: "type", example: `string`},
		{name: "default", example: `"10.90.0.0/24"`},
		{name: "description", example: `"where the machines are"`},
		{name: "sensitive", example: `true`},
	},
}

var localsSpec = blockSpec{kind: "locals", several: true, free: true}

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
	kind: "api",
	attrs: []attrSpec{
		{name: "endpoint", example: `"k8s.example.net:6443"`},
		{name: "port", example: `6443`},
	},
}

// sshAttrs is what reaches one machine; sshSpec adds what is the same for all.
var sshAttrs = []attrSpec{
	{name: "user", example: `"ops"`},
	{name: "become", example: `"sudo"`},
	{name: "become_password", example: `file("/etc/drover/sudo.secret")`, secret: true},
	{name: "port", example: `22`},
	{name: "identity_file", example: `"~/.ssh/id_ed25519"`},
	{name: "jump", example: `"ops@bastion.example.net"`},
}

var hostKeyAttr = attrSpec{name: "host_key", example: `"ssh-ed25519 AAAAC3Nz…"`}

var sshSpec = blockSpec{
	kind: "ssh",
	attrs: append(slices.Clone(sshAttrs),
		attrSpec{name: "known_hosts", example: `"/etc/ssh/ssh_known_hosts"`},
		attrSpec{name: "config_file", example: `"~/.ssh/config"`},
	),
}

var hostSSHSpec = blockSpec{kind: "ssh", attrs: append([]attrSpec{hostKeyAttr}, sshAttrs...)}

var bigipSSHSpec = blockSpec{
	kind:  "ssh",
	attrs: append([]attrSpec{hostKeyAttr, {name: "address", example: `"10.80.0.5"`}}, sshAttrs...),
}

var artifactsSpec = blockSpec{
	kind: "artifacts",
	attrs: []attrSpec{
		{name: "mirror", example: `"http://mirror.example.net"`},
		{name: "registry", example: `"registry.example.net:5000"`},
		{name: "registry_http", example: `true`},
		{name: "lock", example: `"artifacts.lock.json"`},
		{name: "pull", example: `"hosts"`},
		{name: "fan_out", example: `true`},
		{name: "fan_out_port", example: `10270`},
	},
}

var (
	configAttr    = attrSpec{name: "config", example: `{ imageGCHighThresholdPercent = 80 }`}
	extraArgsAttr = attrSpec{name: "extra_args", example: `{ v = 2 }`}
)

func componentSpec(kind, version string, more ...attrSpec) blockSpec {
	return blockSpec{kind: kind, attrs: append([]attrSpec{{name: "version", example: version}}, more...)}
}

var etcdSpec = componentSpec("etcd", `"3.6.16"`, extraArgsAttr)

var containerdSpec = componentSpec("containerd", `"2.2.9"`,
	attrSpec{name: "systemd_cgroup", example: `true`},
	attrSpec{name: "restrict_oom_score_adj", example: `true`},
)

var corednsSpec = componentSpec("coredns", `"1.14.7"`, attrSpec{name: "replicas", example: `2`})

var kubeletSpec = blockSpec{
	kind:  "kubelet",
	attrs: []attrSpec{{name: "max_pods", example: `110`}, configAttr, extraArgsAttr},
}

var kubeProxySpec = blockSpec{
	kind:  "kube_proxy",
	attrs: []attrSpec{{name: "config", example: `{ mode = "nftables" }`}, extraArgsAttr},
}

// programSpec is a component that drover runs and that has nothing but flags.
func programSpec(kind string) blockSpec {
	return blockSpec{kind: kind, attrs: []attrSpec{extraArgsAttr}}
}

var calicoSpec = componentSpec("calico", `"3.30.1"`,
	attrSpec{name: "as_number", example: `64512`},
	attrSpec{name: "block_size", example: `26`},
	attrSpec{name: "max_blocks_per_host", example: `20`},
	attrSpec{name: "topology", example: `"mesh"`},
	attrSpec{name: "route_reflectors", example: `["kube-node-1", "kube-node-2"]`},
)

var bigipSpec = blockSpec{
	kind: "bigip", named: true, several: true,
	attrs: []attrSpec{
		{name: "peer_address", example: `"10.90.0.5"`, required: true},
		{name: "as_number", example: `64512`},
		{name: "password", example: `file("/etc/drover/bgp.secret")`, secret: true},
		{name: "manage", example: `"ssh"`},
		{name: "wait", example: `"10m"`},
		{name: "accept", example: `["192.0.2.0/24"]`},
		{name: "max_peers", example: `200`},
		{name: "max_routes", example: `1000`},
	},
	blocks: []blockSpec{bigipSSHSpec},
}

var capacitySpec = blockSpec{
	kind: "capacity",
	attrs: []attrSpec{
		{name: "profile", example: `"standard"`},
		{name: "tolerate", example: `1`},
		{name: "reservation", example: `"gdc"`},
	},
	blocks: []blockSpec{workloadSpec, thresholdSpec, expiringWaiveSpec},
}

// thresholdSpec is named after the check whose thresholds it sets.
var thresholdSpec = blockSpec{
	kind: "threshold", named: true, several: true,
	attrs: []attrSpec{
		{name: "warn", example: `80`},
		{name: "fail", example: `100`},
	},
}

// expiringWaiveSpec is of capacity, where what is borne is borne for a time: what is to
// be borne for good is another threshold.
var expiringWaiveSpec = blockSpec{
	kind: "waive", named: true, several: true,
	attrs: append(slices.Clone(waiveSpec.attrs), attrSpec{name: "expires", example: `"2027-01-31"`, required: true}),
}

var workloadSpec = blockSpec{
	kind: "workload", named: true, several: true,
	attrs: []attrSpec{
		{name: "replicas", example: `120`, required: true},
		{name: "cpu", example: `"500m"`, required: true},
		{name: "memory", example: `"512Mi"`, required: true},
	},
}

var preflightSpec = blockSpec{kind: "preflight", blocks: []blockSpec{waiveSpec}}

// waiveSpec is named after the check it waives.
var waiveSpec = blockSpec{
	kind: "waive", named: true, several: true,
	attrs: []attrSpec{
		{name: "hosts", example: `["kube-node-1"]`},
		{name: "reason", example: `"a proxy that ends before the cluster begins"`, required: true},
	},
}

var packagesSpec = blockSpec{kind: "packages", attrs: []attrSpec{{name: "install", example: `true`}}}

var puppetdbSpec = blockSpec{
	kind: "puppetdb",
	attrs: []attrSpec{
		{name: "url", example: `"https://puppetdb.example.net:8081"`, required: true},
		{name: "cert", example: `"/var/lib/puppet/ssl/certs/admin.example.net.pem"`},
		{name: "key", example: `"/var/lib/puppet/ssl/private_keys/admin.example.net.pem"`},
		{name: "ca", example: `"/var/lib/puppet/ssl/certs/ca.pem"`},
		{name: "cluster", example: `"prod1"`},
		{name: "master_role", example: `"kube_master"`},
		{name: "node_role", example: `"kube_node"`},
		{name: "name", example: `"certname"`},
		{name: "address", example: `"facts.networking.ip"`},
		{name: "failure_domain", example: `"trusted.extensions.pp_zone"`},
		{name: "max_age", example: `"2h"`},
		{name: "host_keys", example: `true`},
		{name: "ignore", example: `["kube-node-9.example.net"]`},
	},
}

var puppetSpec = blockSpec{
	kind: "puppet",
	attrs: []attrSpec{
		{name: "disable", example: `true`},
		{name: "wait", example: `"5m"`},
		{name: "hold", example: `"1h"`},
	},
}

func hostSpec(r Role) blockSpec {
	return blockSpec{
		kind: string(r), named: true, several: true,
		attrs: []attrSpec{
			{name: "address", example: `"10.90.0.11"`, required: true},
			{name: "failure_domain", example: `"esx-01"`},
			{name: "certname", example: `"kube-node-1.example.net"`},
			{name: "labels", example: `{ tier = "web" }`},
			{name: "taints", example: `["dedicated=gpu:NoSchedule"]`},
			{name: "for_each", example: `{ "1" = "10.90.0.21" }`},
			{name: "name", example: `"kube-node-${each.key}"`},
		},
		blocks: []blockSpec{hostSSHSpec, kubeletSpec},
	}
}
