package puppetdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Node is what PuppetDB knows of a host.
type Node struct {
	Certname   string
	FactsAt    time.Time         // when PuppetDB got its facts; zero: it has none
	Extensions map[string]string // of its certificate, which Puppet's authority has signed
	Status     Status

	parts map[string]json.RawMessage
}

// Status is how a host's agent is doing.
type Status struct {
	Known       bool // PuppetDB has the host at all
	Deactivated time.Time
	Expired     time.Time
	Report      string // of the latest one: failed, changed, unchanged, or "" when there is none
	NoopPending bool   // it would have changed something, but for noop
	// CachedOnFailure says that it ran with an old catalog, as it got no new one.
	CachedOnFailure bool
}

// Active reports whether PuppetDB has the host and takes it for one that is in use.
func (s Status) Active() bool { return s.Known && s.Deactivated.IsZero() && s.Expired.IsZero() }

// readNode reads a row of the inventory entity. What was asked for by a path has that
// path as its key; a row that was not projected has it nested: both are read.
func readNode(raw json.RawMessage) (Node, error) {
	var n Node
	if err := json.Unmarshal(raw, &n.parts); err != nil {
		return n, err
	}
	if err := n.text("certname", &n.Certname); err != nil || n.Certname == "" {
		return n, errors.Join(errors.New("it has no certname"), err)
	}
	var err error
	if n.FactsAt, err = stamp(n.parts["timestamp"]); err != nil {
		return n, fmt.Errorf("%s: timestamp: %w", n.Certname, err)
	}
	n.Extensions = map[string]string{}
	extensions, _ := n.dig("trusted.extensions")
	var values map[string]any
	if len(extensions) > 0 && json.Unmarshal(extensions, &values) != nil {
		return n, fmt.Errorf("%s: trusted.extensions is no map", n.Certname)
	}
	for key, v := range values {
		if text, ok := v.(string); ok {
			n.Extensions[key] = text
		}
	}
	return n, nil
}

func (n Node) text(key string, dst *string) error {
	if raw, ok := n.parts[key]; ok {
		return json.Unmarshal(raw, dst)
	}
	return nil
}

// Text is the text at a path such as facts.networking.ip; ok is false where there is
// none.
func (n Node) Text(path string) (text string, ok bool) {
	raw, ok := n.dig(path)
	if !ok || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, text != ""
}

// dig is what is at a path.
func (n Node) dig(path string) (json.RawMessage, bool) {
	parts := strings.Split(path, ".")
	for i := len(parts); i > 0; i-- {
		raw, ok := n.parts[strings.Join(parts[:i], ".")]
		if !ok {
			continue
		}
		for _, key := range parts[i:] {
			var inner map[string]json.RawMessage
			if json.Unmarshal(raw, &inner) != nil {
				return nil, false
			}
			if raw, ok = inner[key]; !ok {
				return nil, false
			}
		}
		return raw, string(raw) != "null"
	}
	return nil, false
}

// readStatus reads a row of the nodes entity.
func readStatus(raw json.RawMessage) (certname string, s Status, err error) {
	var row struct {
		Certname    string          `json:"certname"`
		Deactivated json.RawMessage `json:"deactivated"`
		Expired     json.RawMessage `json:"expired"`
		Report      *string         `json:"latest_report_status"`
		NoopPending *bool           `json:"latest_report_noop_pending"`
		Cached      *string         `json:"cached_catalog_status"`
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		return "", s, err
	}
	if row.Certname == "" {
		return "", s, errors.New("it has no certname")
	}
	s.Known = true
	if s.Deactivated, err = stamp(row.Deactivated); err != nil {
		return "", s, fmt.Errorf("%s: deactivated: %w", row.Certname, err)
	}
	if s.Expired, err = stamp(row.Expired); err != nil {
		return "", s, fmt.Errorf("%s: expired: %w", row.Certname, err)
	}
	if row.Report != nil {
		s.Report = *row.Report
	}
	s.NoopPending = row.NoopPending != nil && *row.NoopPending
	s.CachedOnFailure = row.Cached != nil && *row.Cached == "on_failure"
	return row.Certname, s, nil
}

// stamp reads a point in time; null and nothing are none.
func stamp(raw json.RawMessage) (time.Time, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return time.Time{}, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, text)
}
