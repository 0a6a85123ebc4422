package calico

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/droverctl/drover/inventory"
)

func render(t *testing.T, objs []*unstructured.Unstructured) string {
	t.Helper()
	var b strings.Builder
	for _, obj := range objs {
		text, err := yaml.Marshal(obj.Object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n%s", text)
	}
	return b.String()
}

func TestObjects(t *testing.T) {
	plain := testNetwork()
	plain.Peers = nil
	plain.KeepPodAddress = true
	reflected := testNetwork()
	reflected.RouteReflectors = []string{"kube-node-2", "kube-node-1"}
	for name, n := range map[string]Network{"two-bigips": testNetwork(), "no-bigip": plain, "reflectors": reflected} {
		t.Run(name, func(t *testing.T) {
			objs, err := Objects(n)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "objects-"+name+".golden", render(t, objs))
		})
	}
}

// Whatever the inventory holds, the API server takes it and prunes none of it.
func TestObjectsFitTheirDefinitions(t *testing.T) {
	manifest, err := Patch(release(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defs := definitions(t, manifest)
	rapid.Check(t, func(t *rapid.T) {
		n := anyNetwork(t)
		objs, err := Objects(n)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, obj := range objs {
			id := obj.GetKind() + "/" + obj.GetName()
			if seen[id] {
				t.Fatalf("two of %s", id)
			}
			seen[id] = true
			if !Owned(obj) {
				t.Fatalf("%s is not ours", id)
			}
			if !strings.HasPrefix(obj.GetAPIVersion(), Group+"/") {
				continue
			}
			schema, ok := defs[obj.GetAPIVersion()+" "+obj.GetKind()]
			if !ok {
				t.Fatalf("no definition of %s", id)
			}
			if bad := violations(id, schema, obj.Object); len(bad) > 0 {
				t.Fatalf("%s", strings.Join(bad, "\n"))
			}
			if filters, _, _ := unstructured.NestedStringSlice(obj.Object, "spec", "filters"); len(filters) > 0 && !seen["BGPFilter/"+filters[0]] {
				t.Fatalf("%s comes before its filter", id)
			}
		}
	})
}

// The check above can fail: the release's own definition refuses the upper half
// of the AS numbers, which is why one is patched.
func TestReleaseRefusesFourByteAS(t *testing.T) {
	objs, err := Split(release(t))
	if err != nil {
		t.Fatal(err)
	}
	p := peer(Peer{Name: "f5", Address: netip.MustParseAddr("10.90.0.5"), ASNumber: 4200000001})
	bad := violations("peer", schemaOf(t, definitions(t, objs), p), p.Object)
	if len(bad) != 1 || !strings.Contains(bad[0], "not an int32") {
		t.Errorf("got %q", bad)
	}
}

func anyNetwork(t *rapid.T) Network {
	n := Network{
		ASNumber:       rapid.Uint32Range(1, 1<<32-2).Draw(t, "as"),
		PodCIDR:        netip.PrefixFrom(netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, "net"), 0, 0}), rapid.IntRange(12, 20).Draw(t, "bits")).Masked(),
		ServiceCIDR:    netip.MustParsePrefix("172.16.0.0/16"),
		BlockSize:      rapid.IntRange(20, 32).Draw(t, "block"),
		KeepPodAddress: rapid.Bool().Draw(t, "keep"),
	}
	if rapid.Bool().Draw(t, "reflected") {
		n.RouteReflectors = rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9-]{0,20}[a-z]`), 1, 3, rapid.ID).Draw(t, "reflectors")
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "peers") {
		p := Peer{
			Name:     fmt.Sprintf("f5-%d", i),
			Address:  netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}),
			ASNumber: rapid.Uint32Range(1, 1<<32-2).Draw(t, "peer as"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "accept") {
			p.Accept = append(p.Accept, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 0}), rapid.IntRange(0, 32).Draw(t, "accepted")))
		}
		if rapid.Bool().Draw(t, "secret") {
			p.Password = inventory.NewSecret(rapid.StringMatching(`[!#-~]{1,80}`).Draw(t, "password"))
		}
		n.Peers = append(n.Peers, p)
	}
	return n
}

func TestPasswords(t *testing.T) {
	n := testNetwork()
	objs, err := Objects(n)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := PasswordSecret(n)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "secret.golden", render(t, []*unstructured.Unstructured{secret}))
	for _, form := range []string{testPassword, "cGFzc3x3b3JkJyQx"} {
		if strings.Contains(render(t, objs), form) {
			t.Error("the objects hold the password")
		}
	}
	if !strings.Contains(render(t, []*unstructured.Unstructured{secret}), "f5-a: cGFzc3x3b3JkJyQx\n") {
		t.Error("the Secret does not hold it")
	}
	n.Peers[0].Password = inventory.Secret{}
	if secret, err := PasswordSecret(n); secret != nil || err != nil {
		t.Errorf("without passwords: %v, %v", secret, err)
	}

	for _, bad := range []string{"", "correct horse", `quo"te`, "ümlaut", "line\n", strings.Repeat("x", 81)} {
		n.Peers[0].Password = inventory.NewSecret(bad)
		_, err := Objects(n)
		wantError(t, err, `BIG-IP "f5-a"`, "password")
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error tells the password: %v", err)
		}
		if _, err := PasswordSecret(n); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestNetworkThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Network){
		"pod CIDR":       func(n *Network) { n.PodCIDR = netip.MustParsePrefix("10.100.0.1/16") },
		"service CIDR":   func(n *Network) { n.ServiceCIDR = netip.MustParsePrefix("fd00::/108") },
		"block size 19":  func(n *Network) { n.BlockSize = 19 },
		"block size 33":  func(n *Network) { n.BlockSize = 33 },
		"block size 21":  func(n *Network) { n.PodCIDR, n.BlockSize = netip.MustParsePrefix("10.100.0.0/22"), 21 },
		`"f5-a": the`:    func(n *Network) { n.Peers[1].Name = "f5-a" },
		`"": the name`:   func(n *Network) { n.Peers[0].Name = "" },
		"1 to 80 charac": func(n *Network) { n.Peers[1].Password = inventory.NewSecret("") },
	} {
		n := testNetwork()
		change(&n)
		_, err := Objects(n)
		wantError(t, err, want)
	}
}

func TestNetworkOf(t *testing.T) {
	n := testNetwork()
	c := &inventory.Cluster{PodCIDR: n.PodCIDR, ServiceCIDR: n.ServiceCIDR}
	c.Calico.ASNumber, c.Calico.BlockSize = n.ASNumber, n.BlockSize
	for _, p := range n.Peers {
		c.BigIPs = append(c.BigIPs, inventory.BigIP{Name: p.Name, PeerAddress: p.Address, ASNumber: p.ASNumber, Accept: p.Accept, Password: p.Password})
	}
	want, err := Objects(n)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Objects(NetworkOf(c))
	if err != nil {
		t.Fatal(err)
	}
	if render(t, got) != render(t, want) {
		t.Errorf("got\n%s", render(t, got))
	}
	c.Calico.RouteReflectors = []string{"kube-node-1"}
	if n := NetworkOf(c); len(n.RouteReflectors) > 0 {
		t.Error("reflectors in a mesh")
	}
	c.Calico.Topology = inventory.TopologyRouteReflectors
	if n := NetworkOf(c); len(n.RouteReflectors) != 1 {
		t.Error("no reflectors")
	}
}

func TestOwned(t *testing.T) {
	const moved = `{"labels":{"app.kubernetes.io/managed-by":"drover","app.kubernetes.io/part-of":"calico"}}`
	for name, c := range map[string]struct {
		labels, annotations map[string]string
		want                bool
	}{
		"ours":              {ownLabels(), nil, true},
		"edited, calicoctl": {nil, map[string]string{metadataAnnotation: moved}, true},
		"nobody's":          {nil, nil, false},
		"drover's CoreDNS":  {map[string]string{managedByLabel: "drover", partOfLabel: "coredns"}, nil, false},
		"Helm's":            {map[string]string{managedByLabel: "Helm", partOfLabel: "calico"}, map[string]string{metadataAnnotation: moved}, false},
		"broken annotation": {nil, map[string]string{metadataAnnotation: "{"}, false},
	} {
		obj := &unstructured.Unstructured{Object: map[string]any{}}
		obj.SetLabels(c.labels)
		obj.SetAnnotations(c.annotations)
		if got := Owned(obj); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A BIG-IP is known by the BGPPeer that drover makes for it, and by nothing else.
func TestBigIPOf(t *testing.T) {
	made := peer(Peer{Name: "f5-a", Address: netip.MustParseAddr("10.90.0.5"), ASNumber: 64512})
	others := made.DeepCopy()
	others.SetLabels(nil)
	for want, obj := range map[string]*unstructured.Unstructured{"f5-a": made, "": others} {
		if got := BigIPOf(obj); got != want {
			t.Errorf("%s: %q, want %q", obj.GetName(), got, want)
		}
	}
	if got := BigIPOf(reflectors(Network{RouteReflectors: []string{"n"}})); got != "" {
		t.Errorf("the route reflectors are %q", got)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(release(f)[:3000])
	f.Add([]byte("---\n# only\n---\n"))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		objs, err := Split(manifest)
		if (err == nil) != (len(objs) > 0) {
			t.Errorf("%d objects, %v", len(objs), err)
		}
		if _, err := Patch(manifest, Options{Registry: "r.example.net"}); err == nil && len(objs) < 3 {
			t.Error("patched what cannot be Calico's manifest")
		}
	})
}
