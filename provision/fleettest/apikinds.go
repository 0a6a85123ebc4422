package fleettest

import (
	"cmp"
	"maps"
	"slices"
)

// kind is a kind the API serves.
type kind struct {
	group, version, kind, plural string
	namespaced                   bool
}

func (k kind) groupVersion() string {
	if k.group == "" {
		return k.version
	}
	return k.group + "/" + k.version
}

// builtin are the kinds that drover's objects and Calico's have, besides those
// that Calico defines.
func builtin() []kind {
	return []kind{
		{"", "v1", "Namespace", "namespaces", false},
		{"", "v1", "Node", "nodes", false},
		{"", "v1", "Pod", "pods", true},
		{"", "v1", "Secret", "secrets", true},
		{"", "v1", "ConfigMap", "configmaps", true},
		{"", "v1", "Service", "services", true},
		{"", "v1", "ServiceAccount", "serviceaccounts", true},
		{"apps", "v1", "DaemonSet", "daemonsets", true},
		{"apps", "v1", "Deployment", "deployments", true},
		{"apps", "v1", "ReplicaSet", "replicasets", true},
		{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true},
		{"coordination.k8s.io", "v1", "Lease", "leases", true},
		{"certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", false},
		{"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false},
		{"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false},
		{"rbac.authorization.k8s.io", "v1", "Role", "roles", true},
		{"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true},
		definitions,
	}
}

var definitions = kind{"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false}

// kinds are all that are served now. The lock is held.
func (a *api) kinds() []kind {
	all := builtin()
	for _, o := range a.objects[definitions] {
		spec, _ := o["spec"].(object)
		names, _ := spec["names"].(object)
		versions, _ := spec["versions"].([]any)
		for _, v := range versions {
			version, _ := v.(object)
			word := func(m object, key string) string { s, _ := m[key].(string); return s }
			all = append(all, kind{word(spec, "group"), word(version, "name"), word(names, "kind"), word(names, "plural"), word(spec, "scope") == "Namespaced"})
		}
	}
	return all
}

// parse finds what a path names.
func parse(path []string, kinds []kind) (k kind, namespace, name string, ok bool) {
	var rest []string
	switch {
	case path[0] == "api" && len(path) >= 3:
		k.version, rest = path[1], path[2:]
	case path[0] == "apis" && len(path) >= 4:
		k.group, k.version, rest = path[1], path[2], path[3:]
	default:
		return k, "", "", false
	}
	if rest[0] == "namespaces" && len(rest) > 2 {
		namespace, rest = rest[1], rest[2:]
	}
	if len(rest) > 1 {
		name = rest[1]
	}
	for _, have := range kinds {
		if have.group == k.group && have.version == k.version && have.plural == rest[0] {
			return have, namespace, name, true
		}
	}
	return k, "", "", false
}

// discovered answers what the API serves.
func discovered(path []string, kinds []kind) (object, bool) {
	switch {
	case path[0] == "api" && len(path) == 1:
		return object{"kind": "APIVersions", "versions": []string{"v1"}}, true
	case path[0] == "apis" && len(path) == 1:
		groups := map[string]object{}
		for _, k := range kinds {
			if k.group != "" {
				v := object{"groupVersion": k.groupVersion(), "version": k.version}
				groups[k.group] = object{"name": k.group, "versions": []any{v}, "preferredVersion": v}
			}
		}
		return object{"kind": "APIGroupList", "apiVersion": "v1", "groups": slices.Collect(maps.Values(groups))}, true
	case path[0] == "api" && len(path) == 2:
		return resources("", path[1], kinds), true
	case path[0] == "apis" && len(path) == 3:
		return resources(path[1], path[2], kinds), true
	}
	return nil, false
}

func resources(group, version string, kinds []kind) object {
	list := []any{}
	for _, k := range kinds {
		if k.group == group && k.version == version {
			list = append(list, object{"name": k.plural, "kind": k.kind, "namespaced": k.namespaced, "verbs": []string{"get", "list", "create", "patch", "delete"}})
		}
	}
	return object{"kind": "APIResourceList", "groupVersion": cmp.Or(map[bool]string{true: version}[group == ""], group+"/"+version), "resources": list}
}
