package pki

import (
	"io/fs"
	"net/netip"
	"path"
	"slices"

	"github.com/droverctl/drover/manifests"
)

// Dir is where certificates and keys live on a host, as kubeadm has it.
const Dir = manifests.PKIDir

// File is where a certificate or a key lives on a host.
type File struct {
	Path  string
	Mode  fs.FileMode
	Owner string // user:group
}

// CIS 1.1.20 and 1.1.21 want 0600 for keys and at most 0644 for certificates.
func certFile(name string) File { return File{path.Join(Dir, name+".crt"), 0o644, "root:root"} }
func keyFile(name string) File  { return File{path.Join(Dir, name+".key"), 0o600, "root:root"} }

// CAName names one of the cluster's three authorities.
type CAName string

// The authorities. They are apart so that a certificate of one world opens no
// door in another: with a single CA every kubelet's certificate would be a
// client of etcd, and every client could pose as the front proxy.
const (
	ClusterCA    CAName = "ca"
	EtcdCA       CAName = "etcd/ca"
	FrontProxyCA CAName = "front-proxy-ca"
)

// CA is one of the authorities as files on masters. Only ClusterCA's
// certificate goes to every host.
type CA struct {
	Name       CAName
	CommonName string // as kubeadm's
	Cert, Key  File
}

// CAs are the cluster's authorities.
func CAs() []CA {
	return []CA{
		{ClusterCA, "kubernetes", certFile(string(ClusterCA)), keyFile(string(ClusterCA))},
		{EtcdCA, "etcd-ca", certFile(string(EtcdCA)), keyFile(string(EtcdCA))},
		{FrontProxyCA, "front-proxy-ca", certFile(string(FrontProxyCA)), keyFile(string(FrontProxyCA))},
	}
}

// ServiceAccountKey and ServiceAccountPub are the key pair that signs and
// verifies service account tokens: no certificate, the same on all masters.
func ServiceAccountKey() File { return keyFile("sa") }

// ServiceAccountPub is the public half of ServiceAccountKey.
func ServiceAccountPub() File { return File{path.Join(Dir, "sa.pub"), 0o644, "root:root"} }

// EncryptionFile is the API server's encryption configuration: a secret, the
// same on all masters.
func EncryptionFile() File {
	return File{manifests.EncryptionPath, 0o600, "root:root"}
}

// groupMasters bypasses all authorization, and cannot be taken back before the
// certificate ends (CIS 5.1.7). What is on a disk is of the groups that
// manifests.RBAC binds instead.
const groupMasters = "system:masters"

// Certificate is one leaf on one host.
type Certificate struct {
	Name string // as in file names: "apiserver-etcd-client"
	CA   CAName
	Leaf Leaf
	Cert File
	Key  File
}

// Cluster is what the certificates must know of the cluster.
type Cluster struct {
	ServiceIP netip.Addr // the first of the service CIDR: that of the Service "kubernetes"
	Domain    string     // of services; empty means cluster.local
	Endpoint  string     // host of the API endpoint, a name or an address; empty when there is none
}

// Host is what the certificates must know of a host.
type Host struct {
	Name    string
	Address netip.Addr
}

// MasterCertificates are the leaves of a master.
func MasterCertificates(c Cluster, h Host) []Certificate {
	return append([]Certificate{
		// etcd's peers and its own gateway dial with the certificates they serve.
		leaf("etcd/server", EtcdCA, etcdLeaf(h)),
		leaf("etcd/peer", EtcdCA, etcdLeaf(h)),
		leaf("etcd/healthcheck-client", EtcdCA, client("kube-etcd-healthcheck-client")),
		leaf("apiserver-etcd-client", EtcdCA, client("kube-apiserver-etcd-client")),
		leaf("apiserver", ClusterCA, apiServerLeaf(c, h)),
		leaf("apiserver-kubelet-client", ClusterCA, client("kube-apiserver-kubelet-client", manifests.GroupKubeletAPIAdmins)),
		leaf("front-proxy-client", FrontProxyCA, client("front-proxy-client")),
		leaf("controller-manager", ClusterCA, client("system:kube-controller-manager")),
		leaf("scheduler", ClusterCA, client("system:kube-scheduler")),
	}, NodeCertificates()...)
}

// NodeCertificates are the leaves of every host. kube-proxy has one identity in
// the cluster, which Kubernetes itself binds to system:node-proxier, but a key
// on each host. The kubelet makes its own.
func NodeCertificates() []Certificate {
	return []Certificate{leaf("kube-proxy", ClusterCA, client("system:kube-proxy"))}
}

// AdminLeaf is drover's own access to the API, made in memory for one run.
// system:masters, because it must work before there is any RBAC and when RBAC
// is broken.
func AdminLeaf() Leaf {
	l := client("drover", groupMasters)
	l.Validity = APIValidity
	return l
}

// EtcdAdminLeaf is drover's own access to etcd, made in memory for one run.
func EtcdAdminLeaf() Leaf {
	l := client("drover")
	l.Validity = APIValidity
	return l
}

// OperatorLeaf is the operator's kubeconfig: an ordinary cluster-admin, whom
// deleting one binding locks out.
func OperatorLeaf(name string) Leaf { return client(name, manifests.GroupAdmins) }

func leaf(name string, ca CAName, l Leaf) Certificate {
	return Certificate{name, ca, l, certFile(name), keyFile(name)}
}

func client(name string, groups ...string) Leaf {
	return Leaf{CommonName: name, Organizations: groups, Usages: []Usage{Client}, Validity: LeafValidity}
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func etcdLeaf(h Host) Leaf {
	return Leaf{
		CommonName: h.Name,
		DNSNames:   []string{h.Name, "localhost"},
		IPs:        []netip.Addr{h.Address, loopback},
		Usages:     []Usage{Server, Client},
		Validity:   LeafValidity,
	}
}

func apiServerLeaf(c Cluster, h Host) Leaf {
	domain := c.Domain
	if domain == "" {
		domain = "cluster.local"
	}
	l := Leaf{
		CommonName: "kube-apiserver",
		DNSNames: []string{
			h.Name, "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain,
		},
		IPs:      []netip.Addr{h.Address, loopback, c.ServiceIP},
		Usages:   []Usage{Server},
		Validity: LeafValidity,
	}
	if ip, err := netip.ParseAddr(c.Endpoint); err == nil {
		if !slices.Contains(l.IPs, ip) {
			l.IPs = append(l.IPs, ip)
		}
	} else if c.Endpoint != "" && !slices.Contains(l.DNSNames, c.Endpoint) {
		l.DNSNames = append(l.DNSNames, c.Endpoint)
	}
	return l
}
