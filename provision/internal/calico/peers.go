package calico

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// RouteReflectorAnnotation on a Node, with [RouteReflectorCluster] as its
// value, makes it a route reflector. It leaves the mesh at once.
const (
	RouteReflectorAnnotation = "projectcalico.org/RouteReflectorClusterID"
	RouteReflectorCluster    = "224.0.0.1"
)

// PeerName is the name of the BGPPeer, and of the BGPFilter, of a BIG-IP.
func PeerName(bigip string) string { return prefix + bigip }

// PeerKind is that of sessions, as it is stored.
func PeerKind() schema.GroupKind { return schema.GroupKind{Group: Group, Kind: v3.KindBGPPeer} }

// BigIPOf is the BIG-IP whose BGPPeer this is, "" when it is nobody's that drover made.
func BigIPOf(peer *unstructured.Unstructured) string {
	name, own := strings.CutPrefix(peer.GetName(), prefix)
	if !own || strings.Contains(name, ".") || !Owned(peer) { // a BIG-IP's name has no dot
		return ""
	}
	return name
}

// peer is the session of every host with one BIG-IP, masters included: there
// are pods on them as well. No node selector means every node, so a host is
// reachable as soon as its Node exists.
func peer(p Peer) *unstructured.Unstructured {
	spec := v3.BGPPeerSpec{
		PeerIP:        p.Address.String(),
		ASNumber:      numorstring.ASNumber(p.ASNumber),
		SourceAddress: v3.SourceAddressUseNodeIP, // the address the BIG-IP lists as its neighbor
		Filters:       []string{PeerName(p.Name)},
	}
	if p.Password.IsSet() {
		spec.Password = &v3.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: SecretName},
			Key:                  p.Name,
		}}
	}
	return custom(v3.KindBGPPeer, PeerName(p.Name), spec)
}

// filter decides what crosses the session with a BIG-IP. BIRD runs the rules in
// order, the first that matches ends it, and after the last one Calico's own
// follow: for export calico_export_to_bgp_peers and then reject, for import
// accept (confd/etc/calico/confd/templates/bird.cfg.template, "Global peers").
//
// Out go the node's own blocks and the service addresses, nothing else:
//
//   - Whatever came from another BGP speaker stays here (RemotePeers is
//     "source ~ [ RTS_BGP ]", confd/pkg/resource/template/template_funcs.go).
//     Calico's sessions are multihop, and on an external one BIRD then puts its
//     own address as the next hop of all it sends (BIRD 1.6.8,
//     proto/bgp/attrs.c). Without this rule an eBGP BIG-IP hears of each block
//     from every node of the mesh and spreads a node's traffic over all of them.
//     On iBGP BIRD passes nothing on unless it is a route reflector.
//   - Service addresses are static routes of BIRD (bird_ipam.cfg.template), made
//     only where the node may announce them; a master has only those it learned.
//   - Of the pods' network nothing longer than a block: those are single pods,
//     from a block that is still being claimed or given up.
//   - What is left, blocks of this node, is accepted by Calico's own rules.
//
// In comes what the inventory accepts. What the cluster itself hands out is
// refused even under 0.0.0.0/0: an aggregate on the BIG-IP would otherwise pull
// traffic for pods out of the cluster and back.
//
// 3.30 has neither peerType nor communities in its rules; none is needed.
func filter(n Network, p Peer) *unstructured.Unstructured {
	pods, services := n.PodCIDR, n.ServiceCIDR
	export := []v3.BGPFilterRuleV4{
		{Action: v3.Reject, Source: v3.BGPFilterSourceRemotePeers},
		rule(v3.Accept, v3.In, services),
		rule(v3.Reject, v3.NotIn, pods),
	}
	if n.BlockSize < 32 {
		longer, all := int32(n.BlockSize)+1, int32(32)
		single := rule(v3.Reject, v3.In, pods)
		single.PrefixLength = &v3.BGPFilterPrefixLengthV4{Min: &longer, Max: &all}
		export = append(export, single)
	}
	imports := []v3.BGPFilterRuleV4{rule(v3.Reject, v3.In, pods), rule(v3.Reject, v3.In, services)}
	for _, accept := range p.Accept {
		imports = append(imports, rule(v3.Accept, v3.In, accept))
	}
	imports = append(imports, v3.BGPFilterRuleV4{Action: v3.Reject})
	return custom(v3.KindBGPFilter, PeerName(p.Name), v3.BGPFilterSpec{ExportV4: export, ImportV4: imports})
}

func rule(action v3.BGPFilterAction, op v3.BGPFilterMatchOperator, cidr netip.Prefix) v3.BGPFilterRuleV4 {
	return v3.BGPFilterRuleV4{Action: action, MatchOperator: op, CIDR: cidr.Masked().String()}
}

// reflectors is the sessions of every node with the route reflectors, which
// have one with each other as well. They are found by the label every Node has.
// No BIG-IP can have that name: there is no dot in theirs.
func reflectors(n Network) *unstructured.Unstructured {
	names := slices.Sorted(slices.Values(n.RouteReflectors))
	for i, name := range names {
		names[i] = fmt.Sprintf("'%s'", name)
	}
	return custom(v3.KindBGPPeer, prefix+"route.reflectors", v3.BGPPeerSpec{
		NodeSelector: "all()",
		PeerSelector: fmt.Sprintf("kubernetes.io/hostname in { %s }", strings.Join(names, ", ")),
	})
}
