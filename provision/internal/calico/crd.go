package calico

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fourByteAS widens asNumber in the definitions, which say int32: with that the
// API server refuses the upper half of the AS numbers, and with it the private
// range of RFC 6996 (4200000000 and up). Calico itself reads 32 bits unsigned.
func (p *patcher) fourByteAS(plurals ...string) {
	for _, plural := range plurals {
		name := plural + ".crd.projectcalico.org"
		obj, ok := p.find("CustomResourceDefinition", name)
		if !ok {
			continue
		}
		if !widen(obj) {
			p.fail("CustomResourceDefinition %s has no integer spec.asNumber", name)
		}
	}
}

func widen(crd *unstructured.Unstructured) bool {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	found := false
	for _, v := range versions {
		version, _ := v.(map[string]any)
		at := []string{"schema", "openAPIV3Schema", "properties", "spec", "properties", "asNumber"}
		field, ok, err := unstructured.NestedMap(version, at...)
		if !ok || err != nil || field["type"] != "integer" {
			continue
		}
		field["format"] = "int64"
		if unstructured.SetNestedMap(version, field, at...) == nil {
			found = true
		}
	}
	return found && unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions") == nil
}
