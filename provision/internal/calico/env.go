package calico

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// container is one of a pod's that is to be patched; c is nil when there is none.
type container struct {
	p *patcher
	c *corev1.Container
}

func (p *patcher) container(list []corev1.Container, name string) container {
	for i := range list {
		if list[i].Name == name {
			return container{p, &list[i]}
		}
	}
	p.fail("DaemonSet calico-node has no container %s", name)
	return container{p, nil}
}

// variable is one of a container's environment.
type variable struct {
	name, value string
	there       bool // the release sets it as well: its absence means that it is called otherwise now
}

// nodeEnv is what drover decides for every calico-node.
func nodeEnv() []variable {
	return []variable{
		// drover makes the pool. A default one would be made by whichever node
		// starts first, with IPIP, before the inventory's pool exists.
		{name: "NO_DEFAULT_POOLS", value: "true"},
		{name: "CALICO_IPV4POOL_IPIP", value: "Never", there: true},
		// BGP must speak from the address the inventory and the BIG-IPs know;
		// "first-found" takes another one on hosts with several interfaces.
		{name: "IP_AUTODETECTION_METHOD", value: "kubernetes-internal-ip"},
	}
}

// felixEnv puts settings into the environment, where they beat any
// FelixConfiguration and need no object of which Calico writes a part itself.
func felixEnv(settings map[string]string) []variable {
	var out []variable
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, variable{name: "FELIX_" + name, value: settings[name]})
	}
	return out
}

// set replaces variables where they stand and appends new ones. Felix reads its
// variables whatever their case, so two spellings of one are one.
func (c container) set(vars ...variable) {
	if c.c == nil {
		return
	}
	for _, v := range vars {
		value := corev1.EnvVar{Name: v.name, Value: v.value}
		switch i := c.index(v.name); {
		case i >= 0:
			c.c.Env[i] = value
		case v.there:
			c.p.fail("container %s has no variable %s", c.c.Name, v.name)
		default:
			c.c.Env = append(c.c.Env, value)
		}
	}
}

func (c container) index(name string) int {
	return slices.IndexFunc(c.c.Env, func(e corev1.EnvVar) bool {
		return e.Name == name || strings.HasPrefix(name, "FELIX_") && strings.EqualFold(e.Name, name)
	})
}

func (c container) mustHave(name, value string) {
	if c.c == nil {
		return
	}
	if i := c.index(name); i < 0 || c.c.Env[i].Value != value {
		c.p.fail("container %s does not set %s to %q", c.c.Name, name, value)
	}
}

// mustNotHave guards against a manifest that was edited: calico-node exits
// when NO_DEFAULT_POOLS meets one of these.
func (c container) mustNotHave(names ...string) {
	if c.c == nil {
		return
	}
	for _, name := range names {
		if c.index(name) >= 0 {
			c.p.fail("container %s sets %s, which contradicts NO_DEFAULT_POOLS", c.c.Name, name)
		}
	}
}

func (c container) resources(r corev1.ResourceRequirements) {
	if c.c != nil {
		c.c.Resources = r
	}
}

// askReadiness sets how often, in seconds, the kubelet asks whether it is ready.
func (c container) askReadiness(every int32) {
	if c.c == nil {
		return
	}
	if c.c.ReadinessProbe == nil {
		c.p.fail("container %s has no readiness probe", c.c.Name)
		return
	}
	c.c.ReadinessProbe.PeriodSeconds = every
}
