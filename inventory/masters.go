package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
)

// ReadyToProvision tells what keeps a loaded inventory from being made into a
// cluster. drover-lab can do with less: it makes machines, which cannot become
// two clusters by accident.
func (c *Cluster) ReadyToProvision() diag.Problems {
	if len(c.Masters) > 0 {
		return nil
	}
	names := make([]string, len(c.KubeMasters))
	for i, h := range c.KubeMasters {
		names[i] = fmt.Sprintf("%q", h.Name)
	}
	line := fmt.Sprintf("masters = [%s]", strings.Join(names, ", "))
	if strings.HasSuffix(c.Where.Block.File, ".json") {
		line = fmt.Sprintf(`"masters": [%s],`, strings.Join(names, ", "))
	}
	ps := diag.Problems{{
		Code: CodeNotPinned, At: c.Where.Block.Ptr(),
		Summary: fmt.Sprintf("cluster %q does not say which masters are all of its masters", c.Name),
		Detail: "A file of the inventory that is missing must not make a smaller, second cluster: the complete list\n" +
			"of names stands in one place, and is compared with the kube_master blocks.",
		Fix: "add this line to the block: " + line,
	}}
	c.Quote(ps)
	return ps
}

// checkPinned compares cluster.masters with the kube_master blocks.
func (d *decoder) checkPinned(c *Cluster) {
	if len(c.Masters) == 0 {
		return
	}
	var unlisted []string
	for _, h := range c.KubeMasters {
		if !slices.Contains(c.Masters, h.Name) {
			unlisted = append(unlisted, h.Name)
		}
	}
	meant := map[string]bool{} // listed, but misspelt: told once
	for i, name := range c.Masters {
		at := c.Where.AtElement("masters", i)
		if slices.Index(c.Masters, name) < i {
			d.report(diag.Problem{
				Code: CodeDuplicateName, At: &at,
				Summary: fmt.Sprintf("masters names %q twice", name),
				Fix:     "remove one of the two",
			})
		} else if !c.hasMaster(name) {
			near := nearest(name, unlisted)
			meant[near] = true
			if near != "" || !d.incomplete {
				d.unknownMaster(c, name, near, at)
			}
		}
	}
	for _, h := range c.KubeMasters {
		if slices.Contains(unlisted, h.Name) && !meant[h.Name] {
			d.report(diag.Problem{
				Code: CodeUnlistedMaster, At: h.Where.At("name").Ptr(),
				Summary: fmt.Sprintf("kube_master %q is not in cluster.masters", h.Name),
				Detail:  fmt.Sprintf("The complete list of masters is at %s.", c.Where.At("masters")),
				Fix:     fmt.Sprintf("add %q to it, or remove this block", h.Name),
			})
		}
	}
}

func (c *Cluster) hasMaster(name string) bool {
	return slices.ContainsFunc(c.KubeMasters, func(h Host) bool { return h.Name == name })
}

func (d *decoder) unknownMaster(c *Cluster, name, near string, at diag.Range) {
	p := diag.Problem{
		Code: CodeUnknownMaster, At: &at,
		Summary: fmt.Sprintf("masters names %q, but there is no such kube_master", name),
		Detail:  "Without all of them nothing is begun or changed: its file may only be late, as one that Puppet collects.",
		Fix:     fmt.Sprintf("add kube_master %q { … }, or wait for its file; or remove it from the list", name),
	}
	if near != "" {
		p.Detail, p.Fix = "", fmt.Sprintf("did you mean %q?", near)
	}
	if i := slices.IndexFunc(c.KubeNodes, func(h Host) bool { return h.Name == name }); i >= 0 {
		p.Detail = fmt.Sprintf("There is a kube_node of that name at %s.", c.KubeNodes[i].Where.At("name"))
		p.Fix = "make it a kube_master, or remove it from the list"
	}
	d.report(p)
}

// checkReflectors holds the route reflectors to hosts there are.
func (d *decoder) checkReflectors(c *Cluster) {
	w := c.Calico.Where
	if c.Calico.Topology == TopologyRouteReflectors && len(c.Calico.RouteReflectors) == 0 && !w.Written("route_reflectors") {
		d.report(diag.Problem{
			Code: CodeRouteReflectors, At: w.At("topology").Ptr(),
			Summary: "topology route_reflectors names no route reflectors",
			Fix:     "add " + calicoSpec.mustAttr("route_reflectors").sample(),
		})
	}
	if c.Calico.Topology == TopologyMesh && len(c.Calico.RouteReflectors) > 0 {
		d.report(diag.Problem{
			Code: CodeRouteReflectors, At: w.At("route_reflectors").Ptr(),
			Summary: "a mesh has no route reflectors",
			Fix:     `remove them, or write topology = "route_reflectors"`,
		})
	}
	var hosts []string
	for _, h := range c.Hosts() {
		hosts = append(hosts, h.Name)
	}
	for i, name := range c.Calico.RouteReflectors {
		if near := nearest(name, hosts); !slices.Contains(hosts, name) && (near != "" || !d.incomplete) {
			d.report(diag.Problem{
				Code: CodeRouteReflectors, At: w.AtElement("route_reflectors", i).Ptr(),
				Summary: fmt.Sprintf("route_reflectors names %q, but there is no such host", name),
				Fix:     suggest(name, hosts),
			})
		}
	}
}
