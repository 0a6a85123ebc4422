package calico

import (
	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Group and version of Calico's objects as the manifest's definitions store them.
const (
	Group   = "crd.projectcalico.org"
	Version = "v1"
)

// NoServicesLabel on a Node, with the value "true", keeps it from announcing
// service addresses (confd/pkg/backends/calico/client.go,
// ExcludeServiceAdvertisement). Masters carry it: no client's connection should
// end because a master was restarted.
const NoServicesLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

// PoolName is the pool all pods have their addresses from.
const PoolName = prefix + "pods"

// Objects are what the inventory wants of Calico, in the order in which they
// are safe to apply: what an object refers to comes before it. Passwords are
// not among them; see [PasswordSecret].
func Objects(n Network) ([]*unstructured.Unstructured, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	out := passwordAccess(n)
	add := func(objs ...*unstructured.Unstructured) { out = append(out, objs...) }
	add(ipam(n), pool(n))
	if len(n.RouteReflectors) == 0 {
		add(bgp(n))
	}
	for _, p := range n.Peers {
		add(filter(n, p), peer(p))
	}
	if len(n.RouteReflectors) > 0 {
		// The mesh goes only after the sessions that replace it are wanted.
		add(reflectors(n), bgp(n))
	}
	return out, nil
}

// pool is without encapsulation: the BIG-IPs route to the nodes, and between
// nodes there is nothing that pod addresses would have to be hidden from.
func pool(n Network) *unstructured.Unstructured {
	return custom(v3.KindIPPool, PoolName, v3.IPPoolSpec{
		CIDR:         n.PodCIDR.String(),
		BlockSize:    n.BlockSize,
		IPIPMode:     v3.IPIPModeNever,
		VXLANMode:    v3.VXLANModeNever,
		NATOutgoing:  !n.KeepPodAddress,
		NodeSelector: "all()",
	})
}

// ipam forbids a node to borrow single addresses of another node's block: each
// would be a /32 on the BIG-IPs, and the filter keeps those back.
func ipam(n Network) *unstructured.Unstructured {
	// The stored kind is not the API's (IPAMConfiguration), and it requires a
	// field that the API's type lacks (ipam_config.go in libcalico-go's resources).
	obj := custom("IPAMConfig", "default", v3.IPAMConfigurationSpec{StrictAffinity: true, MaxBlocksPerHost: int32(n.MaxBlocks)})
	must(unstructured.SetNestedField(obj.Object, true, "spec", "autoAllocateBlocks"))
	return obj
}

func bgp(n Network) *unstructured.Unstructured {
	as := numorstring.ASNumber(n.ASNumber)
	mesh := len(n.RouteReflectors) == 0
	return custom(v3.KindBGPConfiguration, "default", v3.BGPConfigurationSpec{
		ASNumber:              &as,
		NodeToNodeMeshEnabled: &mesh,
		LogSeverityScreen:     "Info",
		ServiceClusterIPs:     []v3.ServiceClusterIPBlock{{CIDR: n.ServiceCIDR.String()}},
	})
}

// custom makes an object as it is stored, from the spec of the API's type. The
// name alone goes into the metadata: ToUnstructured of a whole object would
// write a null creationTimestamp that never equals what the API server has.
func custom(kind, name string, spec any) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&holder{spec})
	must(err)
	obj := &unstructured.Unstructured{Object: content}
	obj.SetAPIVersion(Group + "/" + Version)
	obj.SetKind(kind)
	obj.SetName(name)
	own(obj)
	return obj
}

type holder struct {
	Spec any `json:"spec"`
}

// must is for conversions of our own values, which cannot fail unless this
// package is wrong; the tests make every kind of object.
func must(err error) {
	if err != nil {
		panic("calico: " + err.Error())
	}
}
