package calico

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// SecretName is the Secret with the BGP passwords, a key per BIG-IP. Calico
// cannot use names of more than 80 characters.
const SecretName = prefix + "bgp"

// PasswordSecret is the Secret with the values, nil when no BIG-IP has a
// password. It stands apart from [Objects] so that only the code that writes it
// ever holds it: a plan's state must not. It is applied before the objects,
// else sessions start without a password and fail once.
func PasswordSecret(n Network) (*unstructured.Unstructured, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	data := map[string]any{}
	for _, p := range n.Peers {
		if p.Password.IsSet() {
			data[p.Name] = base64.StdEncoding.EncodeToString([]byte(p.Password.Reveal()))
		}
	}
	if len(data) == 0 {
		return nil, nil
	}
	obj := namespaced("v1", "Secret", SecretName)
	obj.Object["type"] = "Opaque"
	obj.Object["data"] = data
	return obj, nil
}

// passwordAccess lets calico-node read that one Secret: the release's own
// ClusterRole has no Secrets. confd lists and watches it by its name, which
// satisfies resourceNames (confd/pkg/backends/calico/secret_watcher.go).
func passwordAccess(n Network) []*unstructured.Unstructured {
	some := false
	for _, p := range n.Peers {
		some = some || p.Password.IsSet()
	}
	if !some {
		return nil
	}
	const rbac = "rbac.authorization.k8s.io"
	role := namespaced(rbac+"/v1", "Role", SecretName)
	role.Object["rules"] = []any{map[string]any{
		"apiGroups":     []any{""},
		"resources":     []any{"secrets"},
		"resourceNames": []any{SecretName},
		"verbs":         []any{"get", "list", "watch"},
	}}
	binding := namespaced(rbac+"/v1", "RoleBinding", SecretName)
	binding.Object["roleRef"] = map[string]any{"apiGroup": rbac, "kind": "Role", "name": SecretName}
	binding.Object["subjects"] = []any{map[string]any{"kind": "ServiceAccount", "name": "calico-node", "namespace": namespace}}
	return []*unstructured.Unstructured{role, binding}
}

func namespaced(apiVersion, kind, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	own(obj)
	return obj
}
