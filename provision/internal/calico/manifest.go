package calico

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Split reads a file of several YAML documents into its objects.
func Split(manifest []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	seen := map[string]bool{}
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		obj, err := decodeDocument(doc)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if obj == nil {
			continue
		}
		id := fmt.Sprintf("%s %s/%s", obj.GroupVersionKind(), obj.GetNamespace(), obj.GetName())
		if seen[id] {
			return nil, fmt.Errorf("document %d: there are two of %s %s", n, obj.GetKind(), obj.GetName())
		}
		seen[id] = true
		out = append(out, obj)
	}
	if len(out) == 0 {
		return nil, errors.New("the manifest is empty")
	}
	return out, nil
}

// decodeDocument returns nil for a document of comments.
func decodeDocument(doc []byte) (*unstructured.Unstructured, error) {
	json, err := yaml.YAMLToJSONStrict(doc) // strict: a doubled key is a mistake, not a choice
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(json), []byte("null")) {
		return nil, nil
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(json); err != nil {
		return nil, err
	}
	if obj.GetName() == "" {
		return nil, fmt.Errorf("a %s without a name", obj.GetKind())
	}
	return obj, nil
}

// decode reads an object into its type and reports any field the type does not
// have, because encoding it again would lose that field.
func (p *patcher) decode(obj *unstructured.Unstructured, into any) bool {
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, into, true)
	if err != nil {
		p.fail("%s %s: %w", obj.GetKind(), obj.GetName(), err)
	}
	return err == nil
}

// encode writes the typed object back.
func (p *patcher) encode(typed any, obj *unstructured.Unstructured) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		p.fail("%s %s: %w", obj.GetKind(), obj.GetName(), err)
		return
	}
	obj.Object = tidy(content)
}

// tidy takes away what Go's types write for fields nobody set, which would
// show as a difference to what the API server has, for ever.
func tidy(content map[string]any) map[string]any {
	delete(content, "status")
	for _, path := range [][]string{{"metadata"}, {"spec", "template", "metadata"}} {
		if meta, ok, _ := unstructured.NestedMap(content, path...); ok && meta["creationTimestamp"] == nil {
			unstructured.RemoveNestedField(content, append(slices.Clone(path), "creationTimestamp")...)
		}
	}
	dropEmpty(content)
	return content
}

// dropEmpty removes nulls and the empty structs of fields without omitempty,
// such as a container's resources. What the release itself wrote as empty
// ({}, as in an emptyDir) is not among them, as none of Calico's objects that
// drover decodes has one; a test compares every object with the release's.
func dropEmpty(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			dropEmpty(v)
			if len(v) == 0 {
				delete(m, k)
			}
		case []any:
			for _, e := range v {
				if e, ok := e.(map[string]any); ok {
					dropEmpty(e)
				}
			}
		}
	}
}
