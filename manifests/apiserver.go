package manifests

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// APIServer is one kube-apiserver.
type APIServer struct {
	Service
	Address     netip.Addr   // the master's own, told to the other API servers
	ServiceCIDR netip.Prefix //
	Domain      string       // of services; empty is cluster.local
	// EtcdServers are URLs as in https://10.90.0.11:2379. Only the master's own
	// member, as kubeadm has it, means that a new master changes no other; the
	// load balancer then does without an API server whose etcd is down.
	EtcdServers []string
	// ShutdownDelay is how long a stopping API server still serves while /readyz
	// already fails: longer than whatever balances the API takes to notice. 0 is
	// 10 s, which is what drover's own load balancer needs; a BIG-IP's usual
	// monitor (5 s, 16 s) needs 20 s.
	ShutdownDelay time.Duration
}

// Files are the unit, the audit policy, who may come anonymously, and the
// admission configuration.
func (a APIServer) Files() ([]File, error) {
	return collect(
		a.unit,
		func() (File, error) { return fixed("audit-policy.yaml", AuditPolicyPath, Restart) },
		func() (File, error) { return fixed("authentication.yaml", AuthenticationPath, Restart) },
		func() (File, error) { return fixed("admission.yaml", AdmissionPath, Restart) },
	)
}

func (a APIServer) unit() (File, error) {
	delay := a.ShutdownDelay
	if delay == 0 {
		delay = 10 * time.Second
	}
	return renderUnit(APIServerUnit, a.Service, args{
		"advertise-address": a.Address.String(),
		"secure-port":       strconv.Itoa(APIServerPort),
		"allow-privileged":  "true",

		"etcd-servers":  strings.Join(a.EtcdServers, ","),
		"etcd-cafile":   cert("etcd/ca"),
		"etcd-certfile": cert("apiserver-etcd-client"),
		"etcd-keyfile":  key("apiserver-etcd-client"),

		"tls-cert-file":        cert("apiserver"),
		"tls-private-key-file": key("apiserver"),
		"tls-min-version":      "VersionTLS12",
		"tls-cipher-suites":    suites,
		"client-ca-file":       cert("ca"),

		"authorization-mode":          "Node,RBAC",
		"authentication-config":       AuthenticationPath, // instead of --anonymous-auth: see the file
		"enable-bootstrap-token-auth": "true",
		// Beyond Kubernetes' own: NodeRestriction as kubeadm and CIS 1.2.14,
		// DenyServiceExternalIPs as CIS 1.2.3 (CVE-2020-8554).
		"enable-admission-plugins":      "DenyServiceExternalIPs,NodeRestriction",
		"admission-control-config-file": AdmissionPath,
		"encryption-provider-config":    EncryptionPath,

		// CIS 1.2.16 to 1.2.19.
		"audit-policy-file":   AuditPolicyPath,
		"audit-log-path":      AuditLogPath,
		"audit-log-maxage":    "30",
		"audit-log-maxbackup": "10",
		"audit-log-maxsize":   "100",
		"profiling":           "false", // CIS 1.2.15

		"kubelet-certificate-authority":   cert("ca"), // CIS 1.2.5; kubeadm cannot, its kubelets sign for themselves
		"kubelet-client-certificate":      cert("apiserver-kubelet-client"),
		"kubelet-client-key":              key("apiserver-kubelet-client"),
		"kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",

		"proxy-client-cert-file":             cert("front-proxy-client"),
		"proxy-client-key-file":              key("front-proxy-client"),
		"requestheader-allowed-names":        "front-proxy-client",
		"requestheader-client-ca-file":       cert("front-proxy-ca"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",

		"service-account-issuer":           "https://kubernetes.default.svc." + domain(a.Domain),
		"service-account-key-file":         PKIDir + "/sa.pub",
		"service-account-signing-key-file": key("sa"),
		"service-cluster-ip-range":         a.ServiceCIDR.String(),

		// A restart that no client notices: serve on until the load balancers
		// have seen /readyz fail, then tell who still comes to come again.
		"shutdown-delay-duration":   delay.String(),
		"shutdown-send-retry-after": "true",
	}, int(delay/time.Second)+75) // requests in flight may take a minute
}

func domain(d string) string {
	if d == "" {
		return "cluster.local"
	}
	return d
}
