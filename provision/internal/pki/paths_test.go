package pki

import (
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/droverctl/drover/manifests"
)

var inDir = regexp.MustCompile(regexp.QuoteMeta(Dir) + `/[A-Za-z0-9/._-]+`)

// What the rendered files name below Dir is in the catalogue, and what is in the
// catalogue is named: a file nobody makes, or makes for nobody, is a mistake.
func TestCatalogueFitsTheManifests(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.1")
	named := map[string]bool{}
	for _, c := range []interface {
		Files() ([]manifests.File, error)
	}{
		manifests.Etcd{Name: "m", Address: ip}, manifests.APIServer{Address: ip}, manifests.ControllerManager{}, manifests.Scheduler{},
		manifests.Kubelet{NodeIP: ip, ClusterDNS: ip}, manifests.KubeProxy{}, manifests.LoadBalancer{Masters: []manifests.Backend{{Name: "m", Address: ip}}},
	} {
		files, err := c.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, p := range inDir.FindAllString(string(f.Content), -1) {
				named[p] = true
			}
		}
	}
	made := []string{ServiceAccountKey().Path, ServiceAccountPub().Path}
	for _, ca := range CAs() {
		made = append(made, ca.Cert.Path, ca.Key.Path)
	}
	var notByFlags []string // used by kubeconfigs, operators and drover itself
	for _, c := range MasterCertificates(Cluster{}, Host{Name: "m", Address: ip}) {
		made = append(made, c.Cert.Path, c.Key.Path)
		switch c.Name {
		case "controller-manager", "scheduler", "kube-proxy", "etcd/healthcheck-client":
			notByFlags = append(notByFlags, c.Cert.Path, c.Key.Path)
		}
	}
	// Only drover signs with these.
	notByFlags = append(notByFlags, keyFile(string(EtcdCA)).Path, keyFile(string(FrontProxyCA)).Path)
	for p := range named {
		if !slices.Contains(made, p) {
			t.Errorf("%s is named, and nobody makes it", p)
		}
	}
	for _, p := range made {
		if !named[p] && !slices.Contains(notByFlags, p) {
			t.Errorf("%s is made, and nothing names it", p)
		}
	}
}
