package calico

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The labels that say whose an object is. The second one tells Calico's from
// the other things drover puts into a cluster.
const (
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = "drover"
	partOfLabel    = "app.kubernetes.io/part-of"
	partOf         = "calico"
)

// prefix begins the names drover chooses, so that they meet nobody else's.
const prefix = "drover-"

func ownLabels() map[string]string {
	return map[string]string{managedByLabel: managedBy, partOfLabel: partOf}
}

// own marks an object as drover's. Pods inherit nothing of it: a label in a
// template would restart them all.
func own(obj *unstructured.Unstructured) {
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range ownLabels() {
		labels[k] = v
	}
	obj.SetLabels(labels)
}

// metadataAnnotation is where Calico's own clients move labels when they write
// an object (libcalico-go/lib/backend/k8s/resources/resources.go).
const metadataAnnotation = "projectcalico.org/metadata"

// Owned reports whether drover made the object, as part of Calico: only then
// may it be pruned. An edit by calicoctl moves the labels into an annotation;
// it does not make the object somebody else's.
func Owned(obj *unstructured.Unstructured) bool {
	labels := obj.GetLabels()
	if moved := obj.GetAnnotations()[metadataAnnotation]; moved != "" && labels[managedByLabel] == "" {
		var meta struct {
			Labels map[string]string `json:"labels"`
		}
		if json.Unmarshal([]byte(moved), &meta) == nil {
			labels = meta.Labels
		}
	}
	return labels[managedByLabel] == managedBy && labels[partOfLabel] == partOf
}
