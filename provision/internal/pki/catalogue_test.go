package pki

import (
	"encoding/base64"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// The whole catalogue at a glance: what a reviewer of the PKI reads.
func TestCatalogue(t *testing.T) {
	var b strings.Builder
	show := func(f File) { fmt.Fprintf(&b, "  %04o %s %s\n", f.Mode, f.Owner, f.Path) }
	for _, ca := range CAs() {
		fmt.Fprintf(&b, "CA %s: CN=%s\n", ca.Name, ca.CommonName)
		show(ca.Cert)
		show(ca.Key)
	}
	b.WriteString("service accounts\n")
	show(ServiceAccountPub())
	show(ServiceAccountKey())
	b.WriteString("encryption at rest\n")
	show(EncryptionFile())
	cluster := Cluster{ServiceIP: netip.MustParseAddr("10.101.0.1"), Endpoint: "k8s.prod1.example.net"}
	all := MasterCertificates(cluster, Host{"kube-master-1", netip.MustParseAddr("10.90.0.11")})
	for _, c := range all {
		w := Wanted(c.Leaf, Description{CommonName: string(c.CA)})
		fmt.Fprintf(&b, "%s by %s: %s; %s; %s; %s\n", c.Name, c.CA, w["subject"], w["usages"], c.Leaf.Validity, w["sans"])
		show(c.Cert)
		show(c.Key)
	}
	for _, l := range []Leaf{AdminLeaf(), EtcdAdminLeaf(), OperatorLeaf("prod1-admin")} {
		w := Wanted(l, Description{})
		fmt.Fprintf(&b, "not on hosts: %s; %s; %s\n", w["subject"], w["usages"], l.Validity)
	}
	golden(t, "catalogue.txt", []byte(b.String()))

	var paths []string
	for _, c := range all {
		paths = append(paths, c.Cert.Path, c.Key.Path)
		if slices.Contains(c.Leaf.Organizations, groupMasters) {
			t.Errorf("%s on a host's disk is of %s", c.Name, groupMasters)
		}
	}
	if slices.Sort(paths); len(slices.Compact(paths)) != 2*len(all) {
		t.Errorf("two files of one path: %v", paths)
	}
}

func TestKubeconfig(t *testing.T) {
	byPath := Kubeconfig{Cluster: "prod1", Server: "https://127.0.0.1:16443", User: "system:kube-proxy",
		CAFile: "/etc/kubernetes/pki/ca.crt", CertFile: "/etc/kubernetes/pki/kube-proxy.crt", KeyFile: "/etc/kubernetes/pki/kube-proxy.key"}
	embedded := Kubeconfig{Cluster: "prod1", Server: "https://k8s.example.net:6443", User: "admin",
		CA: []byte("the CA"), Cert: []byte("the certificate"), Key: []byte("the key")}
	token := Kubeconfig{Cluster: "prod1", Server: "https://127.0.0.1:16443", User: "bootstrap", CAFile: "/etc/kubernetes/pki/ca.crt", Token: "abcdef.0123456789abcdef"}
	for name, k := range map[string]Kubeconfig{"path": byPath, "embedded": embedded, "token": token} {
		got, err := k.File()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "kubeconfig_"+name+".yaml", got)
	}
	for name, k := range map[string]Kubeconfig{
		"nothing":         {},
		"no CA":           {Cluster: "c", Server: "s", User: "u", Token: "t"},
		"two CAs":         {Cluster: "c", Server: "s", User: "u", Token: "t", CAFile: "f", CA: []byte("x")},
		"no credentials":  {Cluster: "c", Server: "s", User: "u", CAFile: "f"},
		"no key":          {Cluster: "c", Server: "s", User: "u", CAFile: "f", CertFile: "f"},
		"token and a key": {Cluster: "c", Server: "s", User: "u", CAFile: "f", Token: "t", Key: []byte("k")},
	} {
		if _, err := k.File(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEncryptionConfig(t *testing.T) {
	key, err := NewEncryptionKey()
	if err != nil {
		t.Fatal(err)
	}
	file, err := EncryptionConfig(key)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Resources []struct {
			Resources []string
			Providers []map[string]struct {
				Keys []struct{ Name, Secret string }
			}
		}
	}
	if err := yaml.Unmarshal(file, &config); err != nil {
		t.Fatal(err)
	}
	providers := config.Resources[0].Providers
	secret, err := base64.StdEncoding.DecodeString(providers[0]["secretbox"].Keys[0].Secret)
	if err != nil || len(secret) != EncryptionKeySize {
		t.Errorf("a key of %d bytes: %v", len(secret), err)
	}
	if _, last := providers[1]["identity"]; !last || len(providers) != 2 {
		t.Errorf("providers: %v", providers)
	}
	if _, err := EncryptionConfig(EncryptionKey{}); err == nil {
		t.Error("a configuration without a key")
	}
}

func TestServiceAccountKey(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.PublicPEM()
	if err != nil || !strings.HasPrefix(string(public), "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("%s: %v", public, err)
	}
	if _, err := (Key{}).PEM(); err == nil {
		t.Error("no key has a PEM form")
	}
}
