package desired

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// controlPlane is what a master has: the cluster's trust, etcd, and the three
// programs of Kubernetes.
func (b *builder) controlPlane(h inventory.Host, system []plan.ID) error {
	seal := resource.Shared{Host: h.Name, File: trust.Seal(), Bundle: b.Bundle}
	for _, f := range trust.Files() {
		seal.Needs = append(seal.Needs, b.add(resource.Shared{Host: h.Name, File: f, Bundle: b.Bundle}).ID)
	}
	b.add(seal)
	if err := b.etcd(h, system); err != nil {
		return err
	}
	if err := b.apiServer(h); err != nil {
		return err
	}
	if err := b.controllerManager(h); err != nil {
		return err
	}
	return b.scheduler(h)
}

func (b *builder) etcd(h inventory.Host, system []plan.ID) error {
	etcd := manifests.Etcd{Service: b.service(b.Cluster.Etcd.ExtraArgs), Name: h.Name, Address: h.Address}
	files, err := b.Rendered.all(etcd, etcd.Files)
	if err != nil {
		return err
	}
	certs := b.certificates(h, pki.MasterCertificates(b.trustCluster(), pki.Host{Name: h.Name, Address: h.Address}), nil,
		"etcd/server", "etcd/peer", "etcd/healthcheck-client")
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.MasterReleases(b.Cluster), "etcd"), certs,
		[]plan.Item{sharedItem(h, caFile(pki.EtcdCA))})
	data := b.add(resource.Dir{Host: h.Name, Path: manifests.EtcdDataDir, Mode: 0o700})
	begin := b.etcdJoin(h)
	// What began has to have all its keys: else a run that is killed in between
	// leaves a beginning that nobody can finish.
	begin.Needs = append(begin.Needs, resource.FileID(h.Name, trust.Seal().Path))
	if j := b.joiner(h.Name); j != nil {
		ready := slices.Concat(system, begin.Needs, []plan.ID{data.ID}, ids(inputs))
		begin.Needs = append(begin.Needs, learnerID(h.Name))
		b.joinEtcd(h, j, ready)
	}
	join := b.add(begin)
	unit := b.add(resource.Unit{Host: h.Name, Name: manifests.EtcdUnit, Inputs: inputs, Serial: "etcd", Spare: etcdSpares(h.Name),
		Needs: append(slices.Clone(system), data.ID, join.ID),
		Ports: []uint16{manifests.EtcdClientPort, manifests.EtcdPeerPort, manifests.EtcdMetricsPort}})
	b.add(b.etcdJoined(h, unit.ID))
	return nil
}

func caFile(name pki.CAName) pki.File {
	for _, ca := range pki.CAs() {
		if ca.Name == name {
			return ca.Cert
		}
	}
	panic(fmt.Sprintf("desired: no authority %s", name)) // the names are constants
}

func (b *builder) apiServer(h inventory.Host) error {
	server := manifests.APIServer{
		Service: b.service(b.Cluster.APIServer.ExtraArgs), Address: h.Address, ServiceCIDR: b.Cluster.ServiceCIDR,
		EtcdServers: []string{"https://" + netip.AddrPortFrom(h.Address, manifests.EtcdClientPort).String()},
	}
	files, err := b.Rendered.all(server, server.Files)
	if err != nil {
		return err
	}
	certs := b.certificates(h, pki.MasterCertificates(b.trustCluster(), pki.Host{Name: h.Name, Address: h.Address}), nil,
		"apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client")
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.MasterReleases(b.Cluster), "kube-apiserver"), certs, []plan.Item{
		sharedItem(h, caFile(pki.ClusterCA)), sharedItem(h, caFile(pki.EtcdCA)), sharedItem(h, caFile(pki.FrontProxyCA)),
		sharedItem(h, pki.ServiceAccountKey()), sharedItem(h, pki.ServiceAccountPub()), sharedItem(h, pki.EncryptionFile()),
	})
	// The note comes before anything that depends on what it notes: a run that is
	// killed in between must not leave a cluster whose networks can still be changed.
	b.add(resource.Unit{Host: h.Name, Name: manifests.APIServerUnit, Inputs: inputs, Serial: "kube-apiserver",
		Needs: []plan.ID{b.quorumOfEtcd(h), membershipID(b.Cluster, h)}, Ready: apiReady(h.Name), Spare: b.apiSpares(h.Name),
		Ports: []uint16{manifests.APIServerPort}})
	return nil
}

func (b *builder) controllerManager(h inventory.Host) error {
	manager := manifests.ControllerManager{
		Service: b.service(b.Cluster.ControllerManager.ExtraArgs), ClusterName: b.Cluster.Name, PodCIDR: b.Cluster.PodCIDR,
	}
	files, err := b.Rendered.all(manager, manager.Files)
	if err != nil {
		return err
	}
	config, err := b.kubeconfig(h, manifests.ControllerManagerKubeconfig, "system:kube-controller-manager", "controller-manager")
	if err != nil {
		return err
	}
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.MasterReleases(b.Cluster), "kube-controller-manager"),
		b.certificates(h, pki.MasterCertificates(b.trustCluster(), pki.Host{Name: h.Name, Address: h.Address}), nil, "controller-manager"),
		[]plan.Item{config, sharedItem(h, caFile(pki.ClusterCA)), sharedItem(h, pki.ServiceAccountKey())})
	b.add(resource.Unit{Host: h.Name, Name: manifests.ControllerManagerUnit, Inputs: inputs, Serial: "kube-controller-manager",
		Needs: []plan.ID{resource.UnitID(h.Name, manifests.APIServerUnit)}, Ports: []uint16{manifests.ControllerManagerPort}})
	return nil
}

func (b *builder) scheduler(h inventory.Host) error {
	scheduler := manifests.Scheduler{Service: b.service(b.Cluster.Scheduler.ExtraArgs)}
	files, err := b.Rendered.all(scheduler, scheduler.Files)
	if err != nil {
		return err
	}
	config, err := b.kubeconfig(h, manifests.SchedulerKubeconfig, "system:kube-scheduler", "scheduler")
	if err != nil {
		return err
	}
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.MasterReleases(b.Cluster), "kube-scheduler"),
		b.certificates(h, pki.MasterCertificates(b.trustCluster(), pki.Host{Name: h.Name, Address: h.Address}), nil, "scheduler"),
		[]plan.Item{config, sharedItem(h, caFile(pki.ClusterCA))})
	b.add(resource.Unit{Host: h.Name, Name: manifests.SchedulerUnit, Inputs: inputs, Serial: "kube-scheduler",
		Needs: []plan.ID{resource.UnitID(h.Name, manifests.APIServerUnit)}, Ports: []uint16{manifests.SchedulerPort}})
	return nil
}
