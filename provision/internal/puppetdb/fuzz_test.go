package puppetdb

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Whatever is answered, it is read or refused; what is read can be asked about.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`[{"certname":"a","timestamp":"2016-07-11T20:02:33.190Z","trusted.extensions":{"pp_role":"x"},"facts.ssh":{"ed25519":{"key":"AAAAC3NzaC1lZDI1NTE5AAAAIA==","type":"ssh-ed25519"}}}]`))
	f.Add([]byte(`[{"certname":"a","facts":{"networking":{"ip":"10.0.0.1"}},"trusted":{"extensions":null}}]`))
	f.Add([]byte(`[{"certname":"a","deactivated":"2016-07-11T20:02:33Z","expired":null,"latest_report_status":"failed","cached_catalog_status":null}]`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"certname":"a"`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var nodes []Node
		err := rows(bytes.NewReader(answer), func(raw json.RawMessage) error {
			n, err := readNode(raw)
			if err == nil {
				nodes = append(nodes, n)
			}
			return err
		})
		if err == nil && !json.Valid(answer) {
			t.Errorf("taken for whole: %q", answer)
		}
		for _, n := range nodes {
			if n.Certname == "" {
				t.Error("a node without a name")
			}
			for _, path := range []string{"facts.networking.ip", "facts.ssh", "trusted.extensions.pp_zone", "x", ""} {
				if text, ok := n.Text(path); ok == (text == "") {
					t.Errorf("%s: %q, %v", path, text, ok)
				}
			}
			for _, k := range n.Keys() {
				if !strings.Contains(string(k.Blob), k.Type) {
					t.Errorf("a key of type %q: %q", k.Type, k.Blob)
				}
			}
		}
		_ = rows(bytes.NewReader(answer), func(raw json.RawMessage) error {
			name, s, err := readStatus(raw)
			if err == nil && (name == "" || !s.Known) {
				t.Errorf("%q, %+v", name, s)
			}
			return err
		})
	})
}
