package manifests

import "net/netip"

// ControllerManager is one kube-controller-manager.
type ControllerManager struct {
	Service
	ClusterName string
	PodCIDR     netip.Prefix
}

// Files is the unit.
func (c ControllerManager) Files() ([]File, error) {
	return collect(func() (File, error) {
		return renderUnit(ControllerManagerUnit, c.Service, args{
			"cluster-name": c.ClusterName,
			// Calico's IPAM gives out pod addresses; the range is told for what
			// else asks for it.
			"allocate-node-cidrs":              "false",
			"cluster-cidr":                     c.PodCIDR.String(),
			"bind-address":                     "127.0.0.1", // CIS 1.3.7
			"kubeconfig":                       ControllerManagerKubeconfig,
			"authentication-kubeconfig":        ControllerManagerKubeconfig,
			"authorization-kubeconfig":         ControllerManagerKubeconfig,
			"client-ca-file":                   cert("ca"),
			"requestheader-client-ca-file":     cert("front-proxy-ca"),
			"root-ca-file":                     cert("ca"),
			"cluster-signing-cert-file":        cert("ca"),
			"cluster-signing-key-file":         key("ca"),
			"service-account-private-key-file": key("sa"),
			"use-service-account-credentials":  "true", // CIS 1.3.3
			// With a credential for each controller, the default of 20 requests a
			// second keeps them all from beginning for six; the API's own priority
			// and fairness is limit enough.
			"kube-api-qps":   "100",
			"kube-api-burst": "200",
			// As kubeadm, without bootstrapsigner: nothing reads cluster-info here.
			"controllers":       "*,tokencleaner",
			"leader-elect":      "true",
			"profiling":         "false", // CIS 1.3.2
			"tls-min-version":   "VersionTLS12",
			"tls-cipher-suites": suites,
		}, 30)
	})
}

// Scheduler is one kube-scheduler.
type Scheduler struct{ Service }

// Files is the unit.
func (s Scheduler) Files() ([]File, error) {
	return collect(func() (File, error) {
		return renderUnit(SchedulerUnit, s.Service, args{
			"bind-address":              "127.0.0.1", // CIS 1.4.2
			"kubeconfig":                SchedulerKubeconfig,
			"authentication-kubeconfig": SchedulerKubeconfig,
			"authorization-kubeconfig":  SchedulerKubeconfig,
			"client-ca-file":            cert("ca"),
			"leader-elect":              "true",
			"profiling":                 "false", // CIS 1.4.1
			"tls-min-version":           "VersionTLS12",
			"tls-cipher-suites":         suites,
		}, 30)
	})
}
