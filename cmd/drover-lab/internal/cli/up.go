package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/lab"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
	"github.com/droverctl/drover/inventory"
)

func (a *app) up() *cobra.Command {
	var without []string
	var skip, puppet bool
	c := &cobra.Command{
		Use:   "up [DIR|FILE]",
		Short: "Make an inventory's machines real, or repair what is missing of them",
		Long: `up makes the machines of an inventory (a directory of *.hcl files or one file;
the current directory by default) real on this machine. Run again, it repairs
what is missing and leaves the rest alone; machines the inventory has gained are
added. What it needs from this machine it installs on Debian and its like, and
names elsewhere.`,
		Example: `  drover-lab up examples/lab
  drover-lab up examples/lab --without kube-node-2=haproxy,conntrack
  drover-lab up examples/lab --puppet && drover-lab ssh puppet sudo puppet-server-up`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			path := "."
			if len(given) == 1 {
				path = given[0]
			}
			o, err := a.upOptions(path, without)
			if err != nil {
				return err
			}
			o.SkipComponents, o.Puppet = skip, puppet
			labs := a.labs()
			if err := labs.Up(c.Context(), o); err != nil {
				return err
			}
			a.goOn(labs, o.Name)
			return nil
		},
	}
	c.Flags().StringArrayVar(&without, "without", nil, "make a machine without packages of the image, as in HOST=haproxy,conntrack (repeatable)")
	c.Flags().BoolVar(&puppet, "puppet", false, "with one machine more, puppet: puppetserver and PuppetDB, which puppet-server-up there starts")
	c.Flags().BoolVar(&skip, "skip-components", false, "do not build components; the mirror serves those the cache has")
	return c
}

// upOptions reads the inventory.
func (a *app) upOptions(path string, without []string) (lab.UpOptions, error) {
	cluster, problems := inventory.Load(path)
	if cluster == nil {
		return lab.UpOptions{}, problems
	}
	if len(problems) > 0 { // warnings
		if err := problems.Render(a.streams.Err); err != nil {
			return lab.UpOptions{}, err
		}
	}
	o := lab.UpOptions{Name: a.lab, Inventory: absolute(path), Hosts: hosts(cluster)}
	if o.Name == "" {
		o.Name = cluster.Name
	}
	for _, w := range without {
		name, packages, ok := strings.Cut(w, "=")
		i := slices.IndexFunc(o.Hosts, func(h topology.Host) bool { return h.Name == name })
		if !ok || packages == "" || i < 0 {
			return o, usageError{fmt.Errorf("--without %s: want HOST=PACKAGE,PACKAGE with a host of the inventory", w)}
		}
		o.Hosts[i].Without = append(o.Hosts[i].Without, strings.Split(packages, ",")...)
	}
	return o, nil
}

// hosts are the inventory's machines and BIG-IPs, as a lab sees them.
func hosts(c *inventory.Cluster) []topology.Host {
	var hosts []topology.Host
	for _, h := range c.Hosts() {
		role := topology.Node
		if h.Role == inventory.RoleMaster {
			role = topology.Master
		}
		hosts = append(hosts, topology.Host{Name: h.Name, Role: role, Address: h.Address})
	}
	for _, b := range c.BigIPs {
		hosts = append(hosts, topology.Host{Name: b.Name, Role: topology.Router, Address: b.PeerAddress})
	}
	return hosts
}

// goOn tells what can be done with a lab that is up.
func (a *app) goOn(labs lab.Labs, name string) {
	dir := labs.Root.Lab(name)
	fmt.Fprintf(a.streams.Out, `
Look around:   drover-lab status
Log in:        drover-lab ssh HOST           (or: ssh -F %s HOST)
A router:      drover-lab router BIGIP show ip bgp summary
Take it down:  drover-lab down
Host keys:     %s
`, dir.SSHConfig(), dir.KnownHosts())
}
