package manifests

import (
	"fmt"
	"net/netip"
)

// CgroupDriver is who makes the pods' cgroups.
type CgroupDriver string

// The drivers. containerd must be told the same one.
const (
	CgroupSystemd CgroupDriver = "systemd"
	CgroupFS      CgroupDriver = "cgroupfs"
)

// Kubelet is one kubelet. Its Node must exist before it starts: a kubelet that
// does not find it asks for its serving certificate only some ten seconds later.
type Kubelet struct {
	Service
	NodeName   string
	NodeIP     netip.Addr
	ClusterDNS netip.Addr // the 10th of the service CIDR
	Domain     string     // of services; empty is cluster.local

	CgroupDriver  CgroupDriver // empty is systemd
	AllowCgroupV1 bool         // the kubelet refuses cgroup v1 unless told so
	MaxPods       int          // 0 is 110, Kubernetes' tested limit
	// ResolvConf is what pods' DNS falls back to; empty is /etc/resolv.conf.
	// Where systemd-resolved runs it must be /run/systemd/resolve/resolv.conf,
	// or CoreDNS asks itself.
	ResolvConf     string
	KubeReserved   map[string]string // quantities by resource, as in "cpu": "100m"
	SystemReserved map[string]string // the same, for what is not Kubernetes

	// Config is laid over the KubeletConfiguration rendered here; a nil value
	// takes a setting away.
	Config Object
}

// Files are the unit and the KubeletConfiguration.
func (k Kubelet) Files() ([]File, error) { return collect(k.Unit, k.Settings) }

// Unit is the unit.
func (k Kubelet) Unit() (File, error) {
	return renderUnit(KubeletUnit, k.Service, args{
		"config":               KubeletConfigPath,
		"kubeconfig":           KubeletKubeconfig,
		"bootstrap-kubeconfig": KubeletBootstrapKubeconfig,
		"cert-dir":             KubeletPKIDir,
		"hostname-override":    k.NodeName,
		"node-ip":              k.NodeIP.String(),
	}, 30)
}

// Settings are the KubeletConfiguration: the same on all hosts, but for what they
// are told to have of their own.
func (k Kubelet) Settings() (File, error) {
	driver, pods := k.CgroupDriver, k.MaxPods
	if driver == "" {
		driver = CgroupSystemd
	}
	if pods == 0 {
		pods = 110
	}
	if !k.ClusterDNS.IsValid() {
		return File{}, fmt.Errorf("manifests: kubelet %s: no cluster DNS address", k.NodeName)
	}
	c := Object{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		"cgroupDriver":             string(driver),
		"failCgroupV1":             !k.AllowCgroupV1,
		"clusterDNS":               []string{k.ClusterDNS.String()},
		"clusterDomain":            domain(k.Domain),
		"maxPods":                  pods,
		// drover makes the Node: a removed machine cannot put itself back.
		"registerNode": false,

		"authentication": Object{ // CIS 4.2.1, 4.2.3
			"anonymous": Object{"enabled": false},
			"webhook":   Object{"enabled": true},
			"x509":      Object{"clientCAFile": cert("ca")},
		},
		"authorization":         Object{"mode": "Webhook"}, // CIS 4.2.2
		"readOnlyPort":          0,                         // CIS 4.2.4
		"healthzBindAddress":    "127.0.0.1",
		"rotateCertificates":    true, // CIS 4.2.10
		"serverTLSBootstrap":    true, // CIS 4.2.11
		"tlsMinVersion":         "VersionTLS12",
		"tlsCipherSuites":       cipherSuites,
		"seccompDefault":        true,
		"protectKernelDefaults": true, // CIS 4.2.6; the sysctls it asks for are in drover's drop-in
		// CIS 4.2.5: never 0. Kubernetes' own value, written out.
		"streamingConnectionIdleTimeout": "4h0m0s",
		"podPidsLimit":                   4096, // CIS 4.2.13; enough for a JVM, too few for a fork bomb to take the host

		// Kubernetes' own, written out, for what is given here replaces all of them.
		"evictionHard": Object{
			"memory.available":   "100Mi",
			"nodefs.available":   "10%",
			"nodefs.inodesFree":  "5%",
			"imagefs.available":  "15%",
			"imagefs.inodesFree": "5%",
		},
		// One slow image must not hold up a node's other pods.
		"serializeImagePulls":   false,
		"maxParallelImagePulls": 5,
	}
	if k.ResolvConf != "" {
		c["resolvConf"] = k.ResolvConf
	}
	if len(k.KubeReserved) > 0 {
		c["kubeReserved"] = object(k.KubeReserved)
	}
	if len(k.SystemReserved) > 0 {
		c["systemReserved"] = object(k.SystemReserved)
	}
	return configFile(KubeletConfigPath, c, k.Config)
}

// object has strings be merged with what the inventory says, each by itself.
func object(from map[string]string) Object {
	o := Object{}
	for k, v := range from {
		o[k] = v
	}
	return o
}
