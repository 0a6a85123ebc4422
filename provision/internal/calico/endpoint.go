package calico

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// endpoint is where Calico's pods on the host network find the API.
//
// They may not use the kubernetes Service: it works only once kube-proxy has
// read it, and kube-proxy, the CNI plugin and the nodes' readiness would then
// wait for each other, again after every reboot. So KUBERNETES_SERVICE_HOST and
// _PORT, which client-go's in-cluster configuration and install-cni read, are
// set to what the kubelet itself uses: the operator's endpoint, or the
// host's own load balancer, which needs nothing but the host.
//
// They are set as variables of the containers and not through the ConfigMap
// kubernetes-services-endpoint that the manifest offers: that one is optional,
// so a pod that starts before it exists silently takes the Service; it is
// resolved on a pod's start only, so a changed endpoint would reach no running
// pod; and nothing shows when it goes missing. A variable of the DaemonSet rolls
// out by itself, and Kubernetes prefers it over both others.
//
// calico-kube-controllers keeps the Service: it has a network namespace of its
// own, in which the host's load balancer is not to be found.
type endpoint struct {
	host, port string
}

func parseEndpoint(s string) (endpoint, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return endpoint{}, fmt.Errorf("API endpoint %q has no port", s)
	}
	e := endpoint{strings.Trim(s[:i], "[]"), s[i+1:]}
	if n, err := strconv.ParseUint(e.port, 10, 16); err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("API endpoint %q has no port", s)
	}
	if e.host == "" || strings.ContainsAny(e.host, "/ []") {
		return endpoint{}, fmt.Errorf("API endpoint %q has no host", s)
	}
	return e, nil
}

func (e endpoint) env() []variable {
	return []variable{
		{name: "KUBERNETES_SERVICE_HOST", value: e.host},
		{name: "KUBERNETES_SERVICE_PORT", value: e.port},
	}
}

// installEnv is for install-cni, which writes the CNI plugin's kubeconfig as
// https://[HOST]:PORT (cni-plugin/pkg/install/install.go, writeKubeconfig).
// Since Go 1.24.8 and 1.25.2 no URL may have an IPv4 address in brackets, so a
// plugin built with those makes no pod until calico-node has written the file
// anew. The same address in its IPv6 form is right for every Go: it is dialled
// as IPv4 and checked against the IPv4 address in the certificate.
func (e endpoint) installEnv() []variable {
	if a, err := netip.ParseAddr(e.host); err == nil && a.Is4() {
		e.host = "::ffff:" + e.host
	}
	return e.env()
}
