package calico

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The golden is every difference to the release, so that what is not meant to
// be touched cannot be.
func TestPatch(t *testing.T) {
	for name, o := range map[string]Options{
		"default": {},
		"everything": {
			Registry: "registry.example.net/mirror/", Endpoint: "k8s.prod1.example.net:6443", MTU: 8950,
			Felix: map[string]string{"DebugSkipCTLBCleanup": "true", "ipv6support": "true"},
			NodeResources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")},
				Limits:   corev1.ResourceList{"memory": resource.MustParse("512Mi")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := Split(release(t))
			if err != nil {
				t.Fatal(err)
			}
			after, err := Patch(release(t), o)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "patch-"+name+".golden", difference(t, before, after))
		})
	}
}

func TestPatchIsDeterministic(t *testing.T) {
	o := Options{Felix: map[string]string{"A": "1", "B": "2", "C": "3", "D": "4", "E": "5"}}
	text := short(t)
	var first []byte
	for range 5 {
		objs, err := Patch([]byte(text), o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(objs)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Fatal("two runs differ")
		}
	}
}

func TestPatchMarksAllAsOurs(t *testing.T) {
	objs, err := Patch(release(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(objs) != 39 {
		t.Errorf("%d objects", len(objs))
	}
	for _, obj := range objs {
		if !Owned(obj) {
			t.Errorf("%s %s is not", obj.GetKind(), obj.GetName())
		}
	}
}

// Each patch, with its target taken out of the release.
func TestPatchMissesNothing(t *testing.T) {
	text := short(t)
	for _, c := range []struct{ old, new, want string }{
		{"name: calico-config\n", "name: calico-conf\n", "no ConfigMap calico-config"},
		{"  veth_mtu: \"0\"", "  mtu: \"0\"", "no key veth_mtu"},
		{"  calico_backend: \"bird\"", "  backend: \"bird\"", "no key calico_backend"},
		{"  typha_service_name:", "  typha:", "no key typha_service_name"},
		{"  cni_network_config: |-", "  cni_config: |-", "no key cni_network_config"},
		{"kind: DaemonSet\n", "kind: DaemonZet\n", "no DaemonSet calico-node"},
		{"        - name: calico-node\n          image", "        - name: calico\n          image", "no container calico-node"},
		{"- name: install-cni", "- name: install", "no container install-cni"},
		{"- name: upgrade-ipam", "- name: upgrade", "no container upgrade-ipam"},
		{"- name: CALICO_IPV4POOL_IPIP", "- name: CALICO_POOL_IPIP", "no variable CALICO_IPV4POOL_IPIP"},
		{"value: \"autodetect\"", "value: \"10.0.0.1\"", "IP"},
		{"            # - name: CALICO_IPV4POOL_CIDR\n            #   value", "            - name: CALICO_IPV4POOL_CIDR\n              value", "contradicts NO_DEFAULT_POOLS"},
		{"name: bgppeers.crd.projectcalico.org", "name: peers.crd.projectcalico.org", "no CustomResourceDefinition bgppeers"},
		{"              asNumber:\n", "              as:\n", "no integer spec.asNumber"},
		{"      hostNetwork: true", "      hostNetworks: true", "hostNetworks"},
		{"kind: ServiceAccount\nmetadata:\n  name: calico-node", "kind: ServiceAccount\nmetadata:\n  name: calico-kube-controllers", "two of ServiceAccount"},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("the release has no %q", c.old)
		}
		_, err := Patch([]byte(strings.ReplaceAll(text, c.old, c.new)), Options{Registry: "r.example.net"})
		wantError(t, err, c.want)
	}
	_, err := Patch(nil, Options{})
	wantError(t, err, "empty")
	_, err = Patch([]byte("kind: ConfigMap\nkind: Secret\n"), Options{})
	wantError(t, err, "document 1", "already")
	_, err = Patch([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), Options{Registry: "r"})
	wantError(t, err, "no workload in it has an image", "no DaemonSet", "no ConfigMap calico-config")
}

func TestImages(t *testing.T) {
	objs, err := Split(release(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docker.io/calico/cni:v3.30.1", "docker.io/calico/kube-controllers:v3.30.1", "docker.io/calico/node:v3.30.1"}
	if got := Images(objs); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for ref, want := range map[string]string{
		"docker.io/calico/node:v1": "calico/node:v1", "calico/node:v1": "calico/node:v1", "localhost/a": "a",
		"r:5000/a/b@sha256:00": "a/b@sha256:00", "pause:3.10": "pause:3.10",
	} {
		if got := path(ref); got != want {
			t.Errorf("path(%q) = %q", ref, got)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string][3]string{ // host, port, install-cni's host
		"127.0.0.1:16443": {"127.0.0.1", "16443", "::ffff:127.0.0.1"},
		"k8s.example:443": {"k8s.example", "443", "k8s.example"},
		"[2001:db8::1]:1": {"2001:db8::1", "1", "2001:db8::1"},
	} {
		e, err := parseEndpoint(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]string{e.env()[0].value, e.env()[1].value, e.installEnv()[0].value}; got != want {
			t.Errorf("%s: got %q", in, got)
		}
	}
	for _, bad := range []string{"", "host", "host:", "host:0", "host:70000", ":443", "https://host:443", "a b:1"} {
		if _, err := parseEndpoint(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// short is the release without the definitions that nothing patches, most of
// its bulk.
func short(t *testing.T) string {
	t.Helper()
	var kept []string
	for _, doc := range strings.Split(string(release(t)), "\n---\n") {
		if !strings.Contains(doc, "kind: CustomResourceDefinition") || strings.Contains(doc, "name: bgppeers.crd") || strings.Contains(doc, "name: bgpconfigurations.crd") {
			kept = append(kept, doc)
		}
	}
	return strings.Join(kept, "\n---\n")
}

// difference lists the leaves that are in one only, by object.
func difference(t *testing.T, before, after []*unstructured.Unstructured) string {
	t.Helper()
	if len(before) != len(after) {
		t.Fatalf("%d objects became %d", len(before), len(after))
	}
	var b strings.Builder
	for i := range before {
		old, new := leaves(before[i].Object), leaves(after[i].Object)
		fmt.Fprintf(&b, "%s %s\n", after[i].GetKind(), after[i].GetName())
		for _, path := range slices.Sorted(maps.Keys(old)) {
			if old[path] != new[path] {
				fmt.Fprintf(&b, "- %s = %s\n", path, old[path])
			}
		}
		for _, path := range slices.Sorted(maps.Keys(new)) {
			if old[path] != new[path] {
				fmt.Fprintf(&b, "+ %s = %s\n", path, new[path])
			}
		}
	}
	return b.String()
}

func leaves(v any) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(path+"."+k, e)
			}
			if len(v) == 0 {
				out[path] = "{}"
			}
		case []any:
			for i, e := range v {
				key := fmt.Sprintf("[%d]", i)
				if m, ok := e.(map[string]any); ok {
					if name, ok := m["name"].(string); ok {
						key = "[" + name + "]"
					}
				}
				walk(path+key, e)
			}
		default:
			text, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			out[path] = string(text)
		}
	}
	walk("", v)
	return out
}
