package manifests

import "strings"

// Where things are on a host. Binaries are laid out versioned below /opt/drover,
// and units run them through "current", so that an upgrade and its way back are
// a symlink and a restart.
const (
	UnitDir = "/etc/systemd/system"
	PKIDir  = "/etc/kubernetes/pki"

	// EtcdJoinPath is read by etcd's unit while a member is made; see EtcdJoin.
	EtcdJoinPath = "/etc/drover/etcd-join.env"
	EtcdDataDir  = "/var/lib/etcd"

	AuditPolicyPath    = "/etc/kubernetes/audit-policy.yaml"
	AuthenticationPath = "/etc/kubernetes/authentication.yaml"
	AdmissionPath      = "/etc/kubernetes/admission.yaml"
	EncryptionPath     = "/etc/kubernetes/encryption-config.yaml" // secret
	AuditLogPath       = "/var/log/kubernetes/audit/audit.log"

	ControllerManagerKubeconfig = "/etc/kubernetes/controller-manager.conf"
	SchedulerKubeconfig         = "/etc/kubernetes/scheduler.conf"
	KubeProxyKubeconfig         = "/etc/kubernetes/kube-proxy.conf"
	KubeletKubeconfig           = "/etc/kubernetes/kubelet.conf"           // written by the kubelet
	KubeletBootstrapKubeconfig  = "/etc/kubernetes/bootstrap-kubelet.conf" // secret, for the time of a join
	KubeletConfigPath           = "/var/lib/kubelet/config.yaml"
	KubeletPKIDir               = "/var/lib/kubelet/pki"
	KubeProxyConfigPath         = "/var/lib/kube-proxy/config.yaml"

	ContainerdConfigPath = "/etc/containerd/config.toml"
	ContainerdCertsDir   = "/etc/containerd/certs.d"
	ContainerdSocket     = "/run/containerd/containerd.sock"
	CNIConfDir           = "/etc/cni/net.d"
	// CNIBinDir is Calico's to write to; CNIPluginsDir holds the plugins that
	// drover installs. containerd looks into both.
	CNIBinDir     = "/opt/cni/bin"
	CNIPluginsDir = "/opt/drover/cni-plugins/current"

	HAProxyConfigPath = "/etc/drover/haproxy.cfg"
	SysctlPath        = "/etc/sysctl.d/99-zz-drover.conf"
	ModulesPath       = "/etc/modules-load.d/drover.conf"
)

// The units.
const (
	EtcdUnit              = "etcd.service"
	APIServerUnit         = "kube-apiserver.service"
	ControllerManagerUnit = "kube-controller-manager.service"
	SchedulerUnit         = "kube-scheduler.service"
	ContainerdUnit        = "containerd.service"
	KubeletUnit           = "kubelet.service"
	KubeProxyUnit         = "kube-proxy.service"
	HAProxyUnit           = "drover-haproxy.service"
)

// Ports.
const (
	APIServerPort    = 6443
	LoadBalancerPort = 16443 // of the local API load balancer, on 127.0.0.1
	EtcdClientPort   = 2379
	EtcdPeerPort     = 2380
	EtcdMetricsPort  = 2381 // plain HTTP on 127.0.0.1, as kubeadm has it

	// Those of Kubernetes' own defaults.
	ControllerManagerPort = 10257
	SchedulerPort         = 10259
	KubeletHealthPort     = 10248
	ProxyMetricsPort      = 10249
	ProxyHealthPort       = 10256
)

// KubeletPort is where a kubelet of such a configuration serves.
func KubeletPort(config map[string]any) uint16 {
	if n, ok := config["port"].(int64); ok && n > 0 && n < 1<<16 {
		return uint16(n)
	}
	return 10250
}

// Groups that drover binds to roles; see RBAC.
const (
	GroupAdmins           = "drover:admins"
	GroupKubeletAPIAdmins = "drover:kubelet-api-admin"
	GroupBootstrappers    = "system:bootstrappers:drover" // auth-extra-groups of join tokens
)

func cert(name string) string { return PKIDir + "/" + name + ".crt" }
func key(name string) string  { return PKIDir + "/" + name + ".key" }

// cipherSuites are those of TLS 1.2 that the CIS benchmark (1.2.29, 4.2.12)
// calls strong; TLS 1.3 has its own and no others.
var cipherSuites = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

var suites = strings.Join(cipherSuites, ",")
