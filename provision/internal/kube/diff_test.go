package kube

import (
	"slices"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name, live, applied string
		want                []string
	}{
		{"what the API keeps for itself",
			"{kind: A, metadata: {resourceVersion: '1', generation: 1, managedFields: [1]}, status: {x: 1}}",
			"{kind: A, metadata: {resourceVersion: '2', generation: 2, managedFields: [2]}, status: {x: 2}}", nil},
		{"a DaemonSet's old generation",
			"{kind: A, metadata: {annotations: {deprecated.daemonset.template.generation: '1'}}, spec: {a: 1}}",
			"{kind: A, metadata: {}, spec: {a: 2}}", []string{"spec.a: 1 → 2"}},
		{"a label", "{kind: A, metadata: {labels: {a.b/c: x}}}", "{kind: A, metadata: {labels: {a.b/c: z}}}", []string{"metadata.labels[a.b/c]: x → z"}},
		{"a field that is missing", "{kind: A, spec: {}}", "{kind: A, spec: {a: true}}", []string{"spec.a: (none) → true"}},
		{"a field that is null", "{kind: A, spec: {a: null}}", "{kind: A, spec: {}}", []string{"spec.a: null → (none)"}},
		{"a field that becomes another kind", "{kind: A, spec: {a: [1]}}", "{kind: A, spec: {a: {b: 1}}}", []string{`spec.a: [1] → {"b":1}`}},
		{"names, by name", "{kind: A, c: [{name: x, i: 1}, {name: z, i: 1}]}", "{kind: A, c: [{name: z, i: 2}]}",
			[]string{`c[x]: {"i":1,"name":"x"} → (none)`, "c[z].i: 1 → 2"}},
		{"names in another order", "{kind: A, c: [{name: x}, {name: z}]}", "{kind: A, c: [{name: z}, {name: x}]}", []string{"c: in another order"}},
		{"items without names, by place", "{kind: A, c: [{i: 1}, {i: 2}]}", "{kind: A, c: [{i: 1}, {i: 3}, {i: 4}]}",
			[]string{"c[1].i: 2 → 3", `c[2]: (none) → {"i":4}`}},
		{"fewer items", "{kind: A, c: [{i: 1}, {i: 2}]}", "{kind: A, c: [{i: 1}]}", []string{`c[1]: {"i":2} → (none)`}},
		{"plain lists as a whole", "{kind: A, c: [a, b]}", "{kind: A, c: [b]}", []string{`c: ["a","b"] → ["b"]`}},
		{"an empty text", "{kind: A, c: x}", "{kind: A, c: ''}", []string{`c: x → ""`}},
		{"the line of a long text", `{kind: A, c: "one\ntwo\nthree\n"}`, `{kind: A, c: "one\n2\nthree\n"}`, []string{"c: line 2 two → 2"}},
		{"a text that ends sooner", `{kind: A, c: "one\ntwo"}`, `{kind: A, c: "one"}`, []string{"c: line 2 two → (end)"}},
		{"a Secret", "{apiVersion: v1, kind: Secret, data: {a: x, b: y, d: z}}", "{apiVersion: v1, kind: Secret, data: {a: q, c: z, d: z}}",
			[]string{"data.a: differs", "data.b: is not wanted", "data.c: is missing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := compare(object(t, test.live), object(t, test.applied)); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestLongValuesAreCut(t *testing.T) {
	if got := []rune(word(strings.Repeat("ä", 100))); len(got) != 80 || got[79] != '…' {
		t.Errorf("%q", string(got))
	}
}

func TestKeysInWords(t *testing.T) {
	for want, k := range map[string]Key{
		"BGPPeer f5-a":                   {Group: "crd.projectcalico.org", Kind: "BGPPeer", Name: "f5-a"},
		"Deployment kube-system/coredns": {Group: "apps", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"},
	} {
		if got := k.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestConnectRefusesWhatCannotWork(t *testing.T) {
	for want, c := range map[string]Config{
		"not an https URL": {Server: "http://127.0.0.1:6443"},
		"holds no":         {Server: "https://127.0.0.1:6443", CA: []byte("x")},
	} {
		if _, err := Connect(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
