package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// compare names the fields an apply would change, in order. What the API keeps
// for itself is left out.
func compare(live, applied *unstructured.Unstructured) []string {
	d := differ{hide: isSecret(KeyOf(applied))}
	d.values("", strip(live), strip(applied))
	return d.found
}

// strip copies an object without what the API counts and notes by itself.
func strip(obj *unstructured.Unstructured) map[string]any {
	o := obj.DeepCopy()
	unstructured.RemoveNestedField(o.Object, "status")
	for _, f := range []string{"managedFields", "resourceVersion", "generation", "deletionTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", f)
	}
	// A DaemonSet's old way to keep its generation, moved by every dry run that
	// changes something.
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", "deprecated.daemonset.template.generation")
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	return o.Object
}

// differ walks two values and notes where they part.
type differ struct {
	hide  bool // name fields, show no values
	found []string
}

func (d *differ) values(path string, live, want any) {
	switch l := live.(type) {
	case map[string]any:
		if w, ok := want.(map[string]any); ok {
			d.maps(path, l, w)
			return
		}
	case []any:
		if w, ok := want.([]any); ok {
			d.lists(path, l, w)
			return
		}
	}
	if !reflect.DeepEqual(live, want) {
		d.note(path, live, want)
	}
}

func (d *differ) maps(path string, live, want map[string]any) {
	keys := maps.Clone(live)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, want)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		at := join(path, k)
		l, inLive := live[k]
		w, inWant := want[k]
		switch {
		case !inLive:
			d.note(at, absent{}, w)
		case !inWant:
			d.note(at, l, absent{})
		default:
			d.values(at, l, w)
		}
	}
}

// lists compares items of the same name when all have one, as containers and
// their variables do, and else those in the same place.
func (d *differ) lists(path string, live, want []any) {
	l, okLive := byName(live)
	w, okWant := byName(want)
	if okLive && okWant {
		d.named(path, live, want, l, w)
		return
	}
	if scalars(live) && scalars(want) {
		if !reflect.DeepEqual(live, want) {
			d.note(path, live, want)
		}
		return
	}
	for i := range max(len(live), len(want)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(live):
			d.note(at, absent{}, want[i])
		case i >= len(want):
			d.note(at, live[i], absent{})
		default:
			d.values(at, live[i], want[i])
		}
	}
}

func (d *differ) named(path string, live, want []any, l, w map[string]any) {
	before := len(d.found)
	keys := maps.Clone(l)
	maps.Copy(keys, w)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		at := fmt.Sprintf("%s[%s]", path, name)
		lv, inLive := l[name]
		wv, inWant := w[name]
		switch {
		case !inLive:
			d.note(at, absent{}, wv)
		case !inWant:
			d.note(at, lv, absent{})
		default:
			d.values(at, lv, wv)
		}
	}
	if len(d.found) == before && !reflect.DeepEqual(live, want) {
		d.found = append(d.found, path+": in another order")
	}
}

// byName indexes a list by its items' names, if every item has one of its own.
func byName(list []any) (map[string]any, bool) {
	out := make(map[string]any, len(list))
	for _, item := range list {
		m, _ := item.(map[string]any)
		name, _ := m["name"].(string)
		if _, twice := out[name]; name == "" || twice {
			return nil, false
		}
		out[name] = item
	}
	return out, true
}

func scalars(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool {
		switch v.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

// absent is a field that is not there, as opposed to one that is null.
type absent struct{}

func (d *differ) note(path string, live, want any) {
	switch {
	case d.hide && live == absent{}:
		d.found = append(d.found, path+": is missing")
	case d.hide && want == absent{}:
		d.found = append(d.found, path+": is not wanted")
	case d.hide:
		d.found = append(d.found, path+": differs")
	default:
		l, w := show(live, want)
		d.found = append(d.found, fmt.Sprintf("%s: %s → %s", path, l, w))
	}
}

// show puts two values into words that can be told apart: of long texts, the
// first line that differs.
func show(live, want any) (l, w string) {
	a, aText := live.(string)
	b, bText := want.(string)
	if aText && bText && (strings.Contains(a, "\n") || strings.Contains(b, "\n")) {
		al, bl := strings.Split(a, "\n"), strings.Split(b, "\n")
		for i := range max(len(al), len(bl)) {
			x, y := line(al, i), line(bl, i)
			if x != y {
				return fmt.Sprintf("line %d %s", i+1, x), y
			}
		}
	}
	return word(live), word(want)
}

func line(lines []string, i int) string {
	if i >= len(lines) {
		return "(end)"
	}
	return word(lines[i])
}

func word(v any) string {
	switch v := v.(type) {
	case absent:
		return "(none)"
	case string:
		if v == "" || strings.TrimSpace(v) != v || strings.Contains(v, "\n") {
			return cut(fmt.Sprintf("%q", v))
		}
		return cut(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("(%T)", v)
	}
	return cut(string(text))
}

// cut keeps a value to what fits a line.
func cut(s string) string { return cutTo(s, 80) }

func cutTo(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// join adds a key to a path; keys that are no plain words, as labels are, are
// put into brackets.
func join(path, key string) string {
	switch {
	case strings.ContainsAny(key, "./"):
		return path + "[" + key + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
