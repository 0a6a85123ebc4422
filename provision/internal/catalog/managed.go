package catalog

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Managed is what Puppet manages on a host, as far as it is known.
type Managed struct {
	Resources []Resource
	// From is what tells so: "catalog", or "resources.txt", which has titles and no more;
	// empty when nothing does.
	From string
	At   time.Time // when that was written
	// Why says why nothing better is known; empty when there is nothing better.
	Why string
}

// Resource is one thing that Puppet manages.
type Resource struct {
	Type, Title string
	// File and Line are where a manifest says so; empty where that is not known.
	File string
	Line int
	// Bare says that no more than the title is known.
	Bare bool

	parameters parameters
}

// parameters are those of a resource by which collisions are told.
type parameters map[string]string

// kept are they. content is kept of nothing but kernel settings.
var kept = map[string]bool{
	"path": true, "name": true, "target": true, "incl": true, "ensure": true, "enable": true, "value": true, "key": true,
	"recurse": true, "recurselimit": true, "purge": true, "ignore": true, "fstype": true, "noop": true, "val": true,
}

// String is the resource as Puppet names it.
func (r Resource) String() string { return r.Type + "[" + r.Title + "]" }

// Place is where a manifest says so.
func (r Resource) Place() string {
	switch {
	case r.File == "":
		return "its manifest is not known"
	case r.Line == 0:
		return r.File
	}
	return fmt.Sprintf("%s:%d", r.File, r.Line)
}

// Parse reads a cached catalog.
func Parse(from io.Reader) ([]Resource, error) {
	var c struct {
		Resources []struct {
			Type, Title, File string
			Line              int
			Exported, Virtual bool
			Parameters        map[string]any
		}
	}
	d := json.NewDecoder(from)
	d.UseNumber() // a float64 is no text that a manifest has: 1.048576e+06
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("no catalog: %w", err)
	}
	if c.Resources == nil {
		return nil, fmt.Errorf("no catalog: it has no resources")
	}
	var out []Resource
	for _, r := range c.Resources {
		if r.Exported || r.Virtual { // of another host, or of none
			continue
		}
		p := parameters{}
		for name, value := range r.Parameters {
			settings := name == "content" && strings.EqualFold(r.Type, "file")
			if kept[name] || settings && isSysctlFile(pathOf(r.Title, r.Parameters)) {
				p[name] = word(value)
			}
		}
		out = append(out, Resource{Type: r.Type, Title: r.Title, File: r.File, Line: r.Line, parameters: p})
	}
	return out, nil
}

func pathOf(title string, p map[string]any) string {
	if path, ok := p["path"].(string); ok {
		return path
	}
	return title
}

// word is a parameter's value as text: a list is its elements, one a line. Of what
// Puppet hides nothing is kept.
func word(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool, json.Number:
		return fmt.Sprint(v)
	case []any:
		var words []string
		for _, e := range v {
			words = append(words, word(e))
		}
		return strings.Join(words, "\n")
	}
	return ""
}

// ParseTitles reads resources.txt: of each resource type[title], the type in small
// letters.
func ParseTitles(from io.Reader) ([]Resource, error) {
	var out []Resource
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), "[")
		if title, whole := strings.CutSuffix(rest, "]"); whole && kind != "" {
			out = append(out, Resource{Type: capital(kind), Title: title, Bare: true})
		}
	}
	return out, lines.Err()
}

// capital is a type as catalogs write it: Sysctl::Value.
func capital(kind string) string {
	parts := strings.Split(kind, "::")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "::")
}
