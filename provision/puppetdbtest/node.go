package puppetdbtest

import (
	"encoding/base64"
	"strings"
	"time"
)

// Node is a host as PuppetDB knows it.
type Node struct {
	Certname   string
	Extensions map[string]any
	Facts      map[string]any
	FactsAt    time.Time

	Deactivated, Expired time.Time
	Report               string // failed, changed, unchanged; null when empty
	NoopPending          bool
	Cached               string // not_used, explicitly_requested, on_failure; null when empty
}

// Host is a node as an agent on a Debian machine makes it, a minute and a half ago: of a cluster,
// with a role, an address and SSH host keys.
func Host(certname, cluster, role, address string, keys ...[]byte) Node {
	short, domain, _ := strings.Cut(certname, ".")
	ssh := map[string]any{}
	for _, blob := range keys {
		kind := string(blob[4 : 4+int(blob[3])])
		name := map[string]string{"ssh-ed25519": "ed25519", "ssh-rsa": "rsa", "ecdsa-sha2-nistp256": "ecdsa"}[kind]
		ssh[name] = map[string]any{
			"fingerprints": map[string]any{"sha1": "SSHFP 4 1 00", "sha256": "SSHFP 4 2 00"},
			"key":          base64.StdEncoding.EncodeToString(blob),
			"type":         kind,
		}
	}
	return Node{
		Certname:   certname,
		Extensions: map[string]any{"pp_cluster": cluster, "pp_role": role, "pp_zone": "esx-01"},
		Facts: map[string]any{
			"networking": map[string]any{
				"fqdn": certname, "hostname": short, "domain": domain, "ip": address, "mtu": 1500, "primary": "eth0",
				"interfaces": map[string]any{"eth0": map[string]any{"ip": address, "mtu": 1500}, "lo": map[string]any{"ip": "127.0.0.1"}},
			},
			"kernel": "Linux",
			"ssh":    ssh,
		},
		FactsAt: time.Now().Add(-90 * time.Second), Report: "unchanged", Cached: "not_used",
	}
}

// inventory is the node in the inventory entity.
func (n Node) inventory() map[string]any {
	short, domain, _ := strings.Cut(n.Certname, ".")
	return map[string]any{
		"certname": n.Certname, "timestamp": stamp(n.FactsAt), "environment": "production", "facts": n.Facts,
		"trusted": map[string]any{
			"authenticated": "remote", "certname": n.Certname, "hostname": short, "domain": domain,
			"extensions": n.Extensions, "external": map[string]any{},
		},
	}
}

// status is the node in the nodes entity.
func (n Node) status() map[string]any {
	return map[string]any{
		"certname": n.Certname, "deactivated": stamp(n.Deactivated), "expired": stamp(n.Expired),
		"facts_timestamp": stamp(n.FactsAt), "catalog_timestamp": stamp(n.FactsAt), "report_timestamp": stamp(n.FactsAt),
		"facts_environment": "production", "catalog_environment": "production", "report_environment": "production",
		"latest_report_status": text(n.Report), "latest_report_noop": false, "latest_report_noop_pending": n.NoopPending,
		"latest_report_hash": "2625d1b601e98ed1e281ccd79ca8d16b9f74fea6", "latest_report_corrective_change": nil,
		"latest_report_job_id": nil, "cached_catalog_status": text(n.Cached),
	}
}

func (n Node) active() bool { return n.Deactivated.IsZero() && n.Expired.IsZero() }

// stamp is a time as PuppetDB writes it.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
