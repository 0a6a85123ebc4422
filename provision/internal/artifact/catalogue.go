package artifact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
)

// Release is one file of a component's release.
type Release struct {
	Component string
	Version   string
	// Path is HOST/PATH of its upstream URL, which is also its path on a mirror.
	Path string
	// Strip is how many leading elements an archive's names have too many.
	Strip int
}

// NodeReleases are what every host runs.
func NodeReleases(c *inventory.Cluster) []Release {
	return append([]Release{
		{"containerd", c.Containerd.Version, fmt.Sprintf("github.com/containerd/containerd/releases/download/v%[1]s/containerd-%[1]s-linux-amd64.tar.gz", c.Containerd.Version), 0},
		{"runc", c.Runc.Version, fmt.Sprintf("github.com/opencontainers/runc/releases/download/v%s/runc.amd64", c.Runc.Version), 0},
		{"cni-plugins", c.CNI.Version, fmt.Sprintf("github.com/containernetworking/plugins/releases/download/v%[1]s/cni-plugins-linux-amd64-v%[1]s.tgz", c.CNI.Version), 0},
	}, kubernetes(c, "kubelet", "kube-proxy")...)
}

// MasterReleases are what a master runs besides.
func MasterReleases(c *inventory.Cluster) []Release {
	return append([]Release{
		{"etcd", c.Etcd.Version, fmt.Sprintf("github.com/etcd-io/etcd/releases/download/v%[1]s/etcd-v%[1]s-linux-amd64.tar.gz", c.Etcd.Version), 1},
	}, kubernetes(c, "kube-apiserver", "kube-controller-manager", "kube-scheduler")...)
}

// CalicoManifest is Calico's release manifest, which drover patches and applies.
func CalicoManifest(c *inventory.Cluster) Release {
	return Release{"calico", c.Calico.Version, fmt.Sprintf("raw.githubusercontent.com/projectcalico/calico/v%s/manifests/calico.yaml", c.Calico.Version), 0}
}

// All are the releases a cluster of this inventory takes.
func All(c *inventory.Cluster) []Release {
	return slices.Concat(NodeReleases(c), MasterReleases(c), []Release{CalicoManifest(c)})
}

func kubernetes(c *inventory.Cluster, programs ...string) []Release {
	var rs []Release
	for _, p := range programs {
		rs = append(rs, Release{p, c.Kubernetes, fmt.Sprintf("dl.k8s.io/release/v%s/bin/linux/amd64/%s", c.Kubernetes, p), 0})
	}
	return rs
}

// URL is where the release is fetched from: the inventory's mirror, or upstream.
func URL(c *inventory.Cluster, r Release) string {
	if c.Artifacts.Mirror != "" {
		return strings.TrimRight(c.Artifacts.Mirror, "/") + "/" + r.Path
	}
	return "https://" + r.Path
}
