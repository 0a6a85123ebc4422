package calico

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Options is what the inventory says about Calico's own workloads. The zero
// value is a cluster with drover's defaults.
type Options struct {
	// Registry replaces the host of every image, as in "registry.example.net/mirror";
	// empty leaves the release's references as they are.
	Registry string
	// Endpoint is how hosts reach the API, host:port; empty means [LocalEndpoint].
	Endpoint string
	// MTU of the pods' interfaces; 0 leaves it to Calico, which looks at the host's.
	MTU int
	// Felix are settings by the name Calico's reference has for them, as in
	// "DebugSkipCTLBCleanup".
	Felix map[string]string
	// NodeResources are the calico-node container's; empty leaves the release's.
	NodeResources corev1.ResourceRequirements
}

// LocalEndpoint is the load balancer in front of the API servers that drover
// runs on every host when the inventory names no endpoint.
const LocalEndpoint = "127.0.0.1:16443"

const namespace = "kube-system"

// Patch reads the release's manifest and returns its objects, in its order, as
// drover wants them. It fails with all that it could not patch.
func Patch(manifest []byte, o Options) ([]*unstructured.Unstructured, error) {
	objs, err := Split(manifest)
	if err != nil {
		return nil, err
	}
	api, err := parseEndpoint(cmp.Or(o.Endpoint, LocalEndpoint))
	if err != nil {
		return nil, err
	}
	p := patcher{objs: objs}
	p.config(o)
	p.node(o, api)
	p.images(o.Registry)
	p.fourByteAS("bgpconfigurations", "bgppeers")
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	for _, obj := range objs {
		own(obj)
	}
	return objs, nil
}

// patcher changes objects in place and collects what it could not find.
type patcher struct {
	objs []*unstructured.Unstructured
	errs []error
}

func (p *patcher) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("Calico's manifest: "+format, args...))
}

// find returns an empty object when there is none, so that patches go on and
// report all they miss.
func (p *patcher) find(kind, name string) (*unstructured.Unstructured, bool) {
	for _, obj := range p.objs {
		if obj.GetKind() == kind && obj.GetName() == name {
			return obj, true
		}
	}
	p.fail("it has no %s %s", kind, name)
	return nil, false
}

// config patches what calico-node and the CNI plugin read in common.
func (p *patcher) config(o Options) {
	obj, ok := p.find("ConfigMap", "calico-config")
	if !ok {
		return
	}
	var config corev1.ConfigMap
	if !p.decode(obj, &config) {
		return
	}
	set := func(key, value string) {
		if _, ok := config.Data[key]; !ok {
			p.fail("ConfigMap calico-config has no key %s", key)
			return
		}
		config.Data[key] = value
	}
	set("calico_backend", "bird")        // routes by BGP; vxlan would start no BIRD
	set("typha_service_name", "none")    // the manifest brings no Typha
	set("veth_mtu", strconv.Itoa(o.MTU)) // 0 is Calico's own "look at the host"
	if _, ok := config.Data["cni_network_config"]; !ok {
		p.fail("ConfigMap calico-config has no key cni_network_config")
	}
	p.encode(&config, obj)
}

// node patches the DaemonSet.
func (p *patcher) node(o Options, api endpoint) {
	obj, ok := p.find("DaemonSet", "calico-node")
	if !ok {
		return
	}
	var ds appsv1.DaemonSet
	if !p.decode(obj, &ds) {
		return
	}
	pod := &ds.Spec.Template.Spec
	main := p.container(pod.Containers, "calico-node")
	main.set(nodeEnv()...)
	main.set(felixEnv(o.Felix)...)
	main.set(api.env()...)
	main.mustHave("IP", "autodetect") // else IP_AUTODETECTION_METHOD says nothing
	main.mustNotHave("CALICO_IPV4POOL_CIDR", "CALICO_IPV6POOL_CIDR")
	if len(o.NodeResources.Requests)+len(o.NodeResources.Limits) > 0 {
		main.resources(o.NodeResources)
	}
	main.askReadiness(5) // each node of a rolling update waits for the next time it is asked; the release has 10 s
	p.container(pod.InitContainers, "upgrade-ipam").set(api.env()...)
	p.container(pod.InitContainers, "install-cni").set(api.installEnv()...)
	p.encode(&ds, obj)
}
