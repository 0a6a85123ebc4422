package calico

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// definitions are the spec's schema of each kind in the manifest.
func definitions(t testing.TB, objs []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, obj := range objs {
		if obj.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
		versions, _, _ := unstructured.NestedSlice(obj.Object, "spec", "versions")
		for _, v := range versions {
			v := v.(map[string]any)
			schema, ok, _ := unstructured.NestedMap(v, "schema", "openAPIV3Schema")
			if ok {
				out[fmt.Sprintf("%s/%s %s", group, v["name"], kind)] = schema
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d definitions", len(out))
	}
	return out
}

// violations holds a value to a schema as the API server does, and stricter:
// what it would prune is a violation here.
func violations(at string, schema map[string]any, v any) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		bad("%v is none of %v", v, enum)
	}
	switch want := schema["type"]; v := v.(type) {
	case map[string]any:
		if want != "object" {
			bad("an object, want %v", want)
		}
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil { // metadata
			return out
		}
		for k, e := range v {
			p, ok := properties[k].(map[string]any)
			if !ok {
				bad("no property %s", k)
				continue
			}
			out = append(out, violations(at+"."+k, p, e)...)
		}
		required, _ := schema["required"].([]any)
		for _, k := range required {
			if _, ok := v[k.(string)]; !ok {
				bad("lacks %s", k)
			}
		}
	case []any:
		if want != "array" {
			bad("a list, want %v", want)
		}
		items, _ := schema["items"].(map[string]any)
		for i, e := range v {
			out = append(out, violations(fmt.Sprintf("%s[%d]", at, i), items, e)...)
		}
	case string:
		if want != "string" {
			bad("a string, want %v", want)
		}
	case bool:
		if want != "boolean" {
			bad("a boolean, want %v", want)
		}
	case int64:
		if want != "integer" {
			bad("an integer, want %v", want)
		}
		if schema["format"] == "int32" && (v > math.MaxInt32 || v < math.MinInt32) {
			bad("%d is not an int32", v)
		}
		if m, ok := schema["maximum"].(int64); ok && v > m {
			bad("%d is over %d", v, m)
		}
		if m, ok := schema["minimum"].(int64); ok && v < m {
			bad("%d is under %d", v, m)
		}
	default:
		bad("a %T, want %v", v, want)
	}
	return out
}

func schemaOf(t testing.TB, defs map[string]map[string]any, obj *unstructured.Unstructured) map[string]any {
	t.Helper()
	key := obj.GetAPIVersion() + " " + obj.GetKind()
	schema, ok := defs[key]
	if !ok {
		t.Fatalf("the manifest defines no %s", key)
	}
	return schema
}
