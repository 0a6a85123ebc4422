package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// Inputs are what the resources are computed from.
type Inputs struct {
	Cluster *inventory.Cluster
	Lock    artifact.Lock
	// Bundle is the cluster's trust. It may still be empty: what it holds is
	// looked at only when things are observed and applied.
	Bundle *trust.Bundle
	// CalicoManifest is Calico's release manifest.
	CalicoManifest []byte
	// NewCluster says whether etcd begins here, with the masters of the inventory. It
	// is asked when something is applied: before, it may not be known yet.
	NewCluster func() bool
	Kept       Kept
	// Joining are the masters that are to become members of the etcd there is, in the
	// order in which they do.
	Joining []Joiner
	// Strays are learners that never started and never will: they go before anybody joins.
	Strays []etcd.Member
	// Away says of a host that it could not be reached: nothing is asked of it.
	Away func(name string) bool
	Now  func() time.Time
	// Only says of a host that the rest is none of this run's business; nil is of none.
	Only func(name string) bool
	// Drained must be so before a BIG-IP forgets anybody, and Gone before it is looked
	// at for what should not be there: of nodes that are removed.
	Drained, Gone []plan.ID
	// Leaving are masters that are to go, which Cluster is without. Emptied must be so
	// before they are on no list any more: that their pods are gone.
	Leaving []string
	Emptied []plan.ID
	// Former are the Nodes of machines before, by the name that another is to have.
	Former map[string]Former
	// Verify is whether every installed file is digested to tell whether it is intact.
	Verify bool
	// Machine tells a host's cores and memory, which are 0 when they could not be told; it
	// is nil before hosts were looked at, when all that counts is where to look.
	Machine func(name string) (cores int, memory int64)
	// Run is the run that is under way, as hosts are told of it; nil, or "" before there
	// is one.
	Run func() string
	// Rendered remembers what was rendered before; it may be nil.
	Rendered *Renderings
}

// builder collects resources.
type builder struct {
	Inputs
	out []resource.Resource
	// What releases need that are installed on the host at hand.
	forReleases []plan.ID
	// What is wanted of the host at hand itself, and the releases among it.
	own      []plan.Item
	versions map[string]string
	// Calico's own objects, and those that say what it is to do.
	release, network []*unstructured.Unstructured
	passwords        *unstructured.Unstructured // of BGP, among network; nil where there are none
}

func newBuilder(in Inputs) *builder {
	if in.Rendered == nil {
		in.Rendered = &Renderings{}
	}
	if in.Run == nil {
		in.Run = func() string { return "" }
	}
	return &builder{Inputs: in, versions: map[string]string{}}
}

// Build is everything the inventory asks for.
func Build(in Inputs) ([]resource.Resource, error) {
	b := newBuilder(in)
	if err := b.calico(); err != nil {
		return nil, err
	}
	for _, h := range b.hosts(in.Cluster.Hosts()) {
		if err := b.host(h); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	for _, h := range in.Cluster.Hosts() { // also those that are away: a Node is the API's
		if in.Only == nil || in.Only(h.Name) {
			b.add(b.nodeObject(h))
		}
	}
	b.gates()
	if err := b.objects(); err != nil {
		return nil, err
	}
	b.bigIPs()
	return b.out, nil
}

// hosts are those of them that are not away.
func (b *builder) hosts(all []inventory.Host) []inventory.Host {
	return slices.DeleteFunc(slices.Clone(all), func(h inventory.Host) bool { return b.Away(h.Name) })
}

func (b *builder) add(r resource.Resource) plan.Item {
	if u, ok := r.(resource.Unit); ok {
		r = u.Noted()
	}
	item := r.Item()
	switch r := r.(type) {
	case resource.Artifact:
		b.versions[r.Component] = r.Version
		b.own = append(b.own, item)
	case resource.File, resource.Dir, resource.Shared, resource.Certificate, resource.Packages, resource.Sysctls, resource.Unit:
		b.own = append(b.own, item)
	}
	b.out = append(b.out, r)
	return item
}

// host is all that one host has: what every host has, and on a master, before
// the kubelet that is to watch over it, the control plane.
func (b *builder) host(h inventory.Host) error {
	b.own, b.versions = nil, map[string]string{}
	if err := b.all(h); err != nil {
		return err
	}
	b.add(b.fact(h).Noted())
	b.add(puppet.Left(h.Name, b.Run))
	return nil
}

// fact is what the host's Facter is to tell of all that was added for it.
func (b *builder) fact(h inventory.Host) resource.Fact {
	return resource.Fact{Host: h.Name, Cluster: b.Cluster.Name, Role: string(h.Role), Versions: b.versions, Own: b.own, Now: b.Now}
}

func (b *builder) all(h inventory.Host) error {
	packages := b.packages(h)
	b.forReleases = nil
	if b.Cluster.Artifacts.FanOut {
		b.forReleases = packages // curl is one of them
	}
	system, err := b.system(h, packages)
	if err != nil {
		return err
	}
	balancer, err := b.balancer(h, packages)
	if err != nil {
		return err
	}
	runtime, err := b.containerd(h, system)
	if err != nil {
		return err
	}
	if h.Role == inventory.RoleMaster {
		if err := b.controlPlane(h, system); err != nil {
			return err
		}
	}
	return b.node(h, append(append(system, balancer...), runtime))
}

// files adds rendered files and returns them as inputs of the unit among them.
func (b *builder) files(h inventory.Host, files []rendering, needs ...plan.ID) []plan.Item {
	var items []plan.Item
	for _, f := range files {
		items = append(items, b.file(h, f, needs...))
	}
	return items
}

func (b *builder) file(h inventory.Host, f rendering, needs ...plan.ID) plan.Item {
	return b.add(resource.File{Host: h.Name, Path: f.Path, Content: f.Content, Digest: f.digest, Mode: f.Mode, Needs: needs})
}

// releases adds a host's binaries of the components named.
func (b *builder) releases(h inventory.Host, from []artifact.Release, components ...string) []plan.Item {
	var items []plan.Item
	for _, r := range from {
		if !slices.Contains(components, r.Component) {
			continue
		}
		items = append(items, b.add(resource.Artifact{
			Host: h.Name, Component: r.Component, Version: r.Version, Strip: r.Strip,
			URL: artifact.URL(b.Cluster, r), SHA256: b.Lock.Files[r.Path],
			Needs: b.forReleases, Push: b.Cluster.Artifacts.Pull == inventory.PullPush, Verify: b.Verify,
		}))
	}
	return items
}

// packages are those of the host's system, if drover may install what is missing;
// else the preflight has named it.
func (b *builder) packages(h inventory.Host) []plan.ID {
	if !b.Cluster.Packages.Install {
		return nil
	}
	return []plan.ID{b.add(resource.Packages{
		Host: h.Name, Packages: ospackage.Of(b.Cluster), At: b.Cluster.Packages.Where.At("install").Ptr(),
	}).ID}
}

// system is what every host's kernel has to be told, after all it needs for that.
func (b *builder) system(h inventory.Host, needs []plan.ID) ([]plan.ID, error) {
	files, err := b.Rendered.all("host", manifests.HostFiles)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(needs)
	for _, i := range b.files(h, files) {
		ids = append(ids, i.ID)
	}
	for _, f := range files {
		if f.Path != manifests.SysctlPath {
			continue
		}
		values, optional := sysctls(f.Content)
		ids = append(ids, b.add(resource.Sysctls{Host: h.Name, Values: values, Optional: optional, Needs: ids}).ID)
	}
	return ids, nil
}

// sysctls reads a sysctl.d file: the one list serves the running kernel and the
// next boot. A dash before a key says that a kernel may lack it.
func sysctls(content []byte) (values map[string]string, optional map[string]bool) {
	values, optional = map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		key, dash := strings.CutPrefix(strings.TrimSpace(key), "-")
		values[key], optional[key] = strings.Join(strings.Fields(value), " "), dash
	}
	return values, optional
}

// balancer is the host's own way to the API servers, unless the operator gives
// one.
func (b *builder) balancer(h inventory.Host, needs []plan.ID) ([]plan.ID, error) {
	if b.Cluster.API.Endpoint != "" {
		return nil, nil
	}
	balancer := manifests.LoadBalancer{Masters: b.Kept.Backends(b.Cluster)}
	files, err := b.Rendered.all(balancer, balancer.Files)
	if err != nil {
		return nil, err
	}
	inputs := b.files(h, files, b.Emptied...)
	if h.Role == inventory.RoleNode {
		// Masters have it from the bundle.
		inputs = append(inputs, b.clusterCA(h))
	} else {
		inputs = append(inputs, sharedItem(h, pki.CAs()[0].Cert))
	}
	unit := b.add(resource.Unit{Host: h.Name, Name: manifests.HAProxyUnit, Inputs: inputs, Needs: needs, Verb: "reload-or-restart",
		Ports: []uint16{manifests.LoadBalancerPort}})
	return []plan.ID{unit.ID}, nil
}

// clusterCA is the one certificate every host has to trust.
func (b *builder) clusterCA(h inventory.Host) plan.Item {
	return b.add(resource.Shared{Host: h.Name, File: pki.CAs()[0].Cert, Bundle: b.Bundle})
}

func sharedItem(h inventory.Host, f pki.File) plan.Item {
	return resource.Shared{Host: h.Name, File: f}.Item()
}

// certificates adds leaves and returns those named.
func (b *builder) certificates(h inventory.Host, certs []pki.Certificate, needs []plan.ID, names ...string) []plan.Item {
	var items []plan.Item
	for _, c := range certs {
		if slices.Contains(names, c.Name) {
			items = append(items, b.add(resource.Certificate{Host: h.Name, Cert: c, Bundle: b.Bundle, Needs: needs, Now: b.Now}))
		}
	}
	return items
}

// kubeconfig is a file that names a client's certificate by path: the certificate
// can be renewed without it, and it is no secret.
func (b *builder) kubeconfig(h inventory.Host, path, user, cert string) (plan.Item, error) {
	config := pki.Kubeconfig{
		Cluster: b.Cluster.Name, Server: "https://" + b.endpoint(), User: user,
		CAFile: pki.CAs()[0].Cert.Path, CertFile: pki.Dir + "/" + cert + ".crt", KeyFile: pki.Dir + "/" + cert + ".key",
	}
	file, err := b.Rendered.one(config, func() (manifests.File, error) {
		content, err := config.File()
		return manifests.File{Path: path, Mode: 0o600, Content: content}, err
	})
	if err != nil {
		return plan.Item{}, err
	}
	return b.file(h, file), nil
}

// endpoint is how hosts reach the API.
func (b *builder) endpoint() string {
	if b.Cluster.API.Endpoint != "" {
		return b.Cluster.API.Endpoint
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), manifests.LoadBalancerPort).String()
}

// trustCluster is what certificates must know of the cluster.
func (b *builder) trustCluster() pki.Cluster {
	host, _, _ := strings.Cut(b.Cluster.API.Endpoint, ":")
	return pki.Cluster{ServiceIP: b.Cluster.ServiceCIDR.Masked().Addr().Next(), Endpoint: host}
}

// dns is the address of the cluster's name service: by custom the 10th.
func (b *builder) dns() netip.Addr {
	a := b.Cluster.ServiceCIDR.Masked().Addr()
	for range 10 {
		a = a.Next()
	}
	return a
}

// service is what the inventory adds to a program's flags.
func (b *builder) service(args inventory.Args) manifests.Service {
	s := manifests.Service{RestrictOOMScore: b.Cluster.Containerd.RestrictOOMScoreAdj}
	for name, values := range args {
		if s.ExtraArgs == nil {
			s.ExtraArgs = map[string]string{}
		}
		s.ExtraArgs[name] = strings.Join(values, ",")
	}
	return s
}

func ids(items []plan.Item) []plan.ID {
	var out []plan.ID
	for _, i := range items {
		out = append(out, i.ID)
	}
	return out
}
