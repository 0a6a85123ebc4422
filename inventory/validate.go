package inventory

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
)

// validate checks what no single block can know. Values that are wrong by
// themselves were reported before and are zero here; they are passed over.
func (d *decoder) validate() {
	c := d.cluster
	d.checkNames(c)
	d.checkAddresses(c)
	d.checkCertnames(c)
	d.checkNetworks(c)
	d.checkBlockSize(c)
	d.checkPinned(c)
	d.checkReflectors(c)
	d.checkWaivers(c.Preflight.Waivers, PreflightChecks, c.hostNames())
	d.checkWaivers(c.Capacity.Waivers, capacityIDs(), c.judgedNames())
	d.checkThresholds(c.Capacity.Thresholds)
	if !d.incomplete {
		d.checkPresent(c)
	}
}

// party is what hosts and BIG-IPs have in common.
type party struct {
	kind, name string
	where      Where
	address    netip.Addr
	attr       string // the attribute that holds the address
}

func (c *Cluster) parties() []party {
	var all []party
	for _, h := range c.Hosts() {
		all = append(all, party{string(h.Role), h.Name, h.Where, h.Address, "address"})
	}
	for _, f5 := range c.BigIPs {
		all = append(all, party{"bigip", f5.Name, f5.Where, f5.PeerAddress, "peer_address"})
	}
	// In the order they were written, so that "the first" is what a reader takes for it.
	slices.SortStableFunc(all, func(a, b party) int { return diag.Compare(a.where.Block, b.where.Block) })
	return all
}

func (d *decoder) checkNames(c *Cluster) {
	first := map[string]diag.Range{}
	for _, p := range c.parties() {
		d.unique(first, p.kind, p.name, p.where)
	}
}

// unique reports a name that first holds already, else notes it there.
func (d *decoder) unique(first map[string]diag.Range, kind, name string, w Where) {
	if name == "" { // it is wrong, and was told so
		return
	}
	at := w.At("name")
	before, taken := first[name]
	if !taken {
		first[name] = at
		return
	}
	p := diag.Problem{
		Code: CodeDuplicateName, At: &at,
		Summary: fmt.Sprintf("%s %q has a name that is taken", kind, name),
		Detail:  fmt.Sprintf("The first one is at %s.", before),
		Fix:     "give it a name of its own, or remove one of the two",
	}
	if at == before {
		p.Detail = "Two rows of for_each have it."
		p.Fix = `make it differ by row: name = "NAME-${each.key}"`
	}
	d.report(p)
}

func (d *decoder) checkAddresses(c *Cluster) {
	first := map[netip.Addr]party{}
	for _, p := range c.parties() {
		if !p.address.IsValid() {
			continue
		}
		before, taken := first[p.address]
		if !taken {
			first[p.address] = p
			continue
		}
		d.report(diag.Problem{
			Code: CodeDuplicateAddress, At: p.where.At(p.attr).Ptr(),
			Summary: fmt.Sprintf("%s %q has an address that is taken: %s", p.kind, p.name, p.address),
			Detail:  fmt.Sprintf("%s %q has it at %s.", before.kind, before.name, before.where.At(before.attr)),
			Fix:     "give each machine an address of its own",
		})
	}
}

// checkNetworks keeps pods, services and machines apart: where two of them
// overlap, one of them is unreachable.
func (d *decoder) checkNetworks(c *Cluster) {
	if c.PodCIDR.IsValid() && c.ServiceCIDR.IsValid() && c.PodCIDR.Overlaps(c.ServiceCIDR) {
		attr, other := "service_cidr", "pod_cidr"
		if !c.Where.Written(attr) {
			attr, other = other, attr
		}
		d.report(diag.Problem{
			Code: CodeCIDROverlap, At: c.Where.At(attr).Ptr(),
			Summary: fmt.Sprintf("pod_cidr %s and service_cidr %s overlap", c.PodCIDR, c.ServiceCIDR),
			Detail:  c.origin(other),
			Fix:     "choose two networks that share no address",
		})
	}
	for _, p := range c.parties() {
		d.checkOutside(c, p, "pod_cidr", c.PodCIDR)
		d.checkOutside(c, p, "service_cidr", c.ServiceCIDR)
	}
}

func (d *decoder) checkOutside(c *Cluster, p party, attr string, network netip.Prefix) {
	if !network.IsValid() || !p.address.IsValid() || !network.Contains(p.address) {
		return
	}
	d.report(diag.Problem{
		Code: CodeAddressInCIDR, At: p.where.At(p.attr).Ptr(),
		Summary: fmt.Sprintf("%s %q has the address %s, which is inside %s %s", p.kind, p.name, p.address, attr, network),
		Detail:  c.origin(attr),
		Fix:     fmt.Sprintf("choose a %s that holds no machine's address", attr),
	})
}

// origin tells where a network of the cluster comes from.
func (c *Cluster) origin(attr string) string {
	if !c.Where.Written(attr) {
		return attr + " has its default."
	}
	return fmt.Sprintf("%s is set at %s.", attr, c.Where.At(attr))
}

func (d *decoder) checkBlockSize(c *Cluster) {
	size := c.Calico.BlockSize
	if size == 0 || !c.PodCIDR.IsValid() || size >= c.PodCIDR.Bits() {
		return
	}
	w, attr := c.Calico.Where, "block_size"
	if !w.Written(attr) {
		w, attr = c.Where, "pod_cidr"
	}
	d.report(diag.Problem{
		Code: CodeBlockSizeTooBig, At: w.At(attr).Ptr(),
		Summary: fmt.Sprintf("a node's block, /%d, is larger than pod_cidr %s", size, c.PodCIDR),
		Detail:  c.origin("pod_cidr"),
		Fix:     fmt.Sprintf("use a block_size above %d, or a larger pod_cidr", c.PodCIDR.Bits()),
	})
}

// checkPresent reports what every inventory has. It must have been read whole.
func (d *decoder) checkPresent(c *Cluster) {
	at := c.Where.Block
	if _, ok := d.seen[clusterSpec.kind]; !ok {
		d.report(diag.Problem{
			Code: CodeNoCluster, At: at.Ptr(),
			Summary: "the inventory has no cluster block", Fix: `add cluster "NAME" { … }`,
		})
	}
	if len(c.KubeMasters) == 0 {
		d.report(diag.Problem{
			Code: CodeNoMasters, At: at.Ptr(),
			Summary: "the inventory has no kube_master", Fix: `add kube_master "NAME" { address = "10.90.0.11" }`,
		})
	}
}
