package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Key names an object, whatever the version it is read in.
type Key struct {
	Group, Kind     string
	Namespace, Name string
}

// KeyOf is the key of an object.
func KeyOf(obj *unstructured.Unstructured) Key {
	gvk := obj.GroupVersionKind()
	return Key{Group: gvk.Group, Kind: gvk.Kind, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// String is how people name it: "Deployment kube-system/coredns", "BGPPeer f5-a".
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Ref is one object that exists, or is to be gone.
type Ref struct {
	Key
	Version string    // of the API group; empty is the one the API prefers
	UID     types.UID // when set, only this very object is meant, not a successor of its name
}

func (r Ref) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// Own labels an object as ours, which is what lets it be pruned one day.
func Own(obj *unstructured.Unstructured) {
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[ManagedByLabel] = ManagedBy
	obj.SetLabels(labels)
}

// UnknownKindError is a kind the API does not serve: its CRD is absent, or not
// served yet. No object of the kind exists.
type UnknownKindError struct{ Kind schema.GroupVersionKind }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("the API serves no %s in %s", e.Kind.Kind, e.Kind.GroupVersion())
}
