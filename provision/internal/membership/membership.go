package membership

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// Dir is where a host keeps what drover notes there.
const Dir = "/var/lib/drover"

// Path is where the note is. Its ending makes the probe bring its text along.
const Path = Dir + "/cluster.drover"

// Note is what a host says of its cluster. Notes of an older form lack the later
// fields: those are empty.
type Note struct {
	Cluster  string
	UID      string // the key ID of the cluster's authority
	Host     string // the host's name in the inventory
	Settings Settings
}

// Settings are what a cluster keeps, by their names in the inventory.
type Settings map[string]string

// names are theirs, in the order they are written in.
var names = [...]string{"kubernetes", "pod_cidr", "service_cidr", "block_size"}

// Setting is one of them in an inventory.
type Setting struct {
	Name  string
	Value string
	At    diag.Range
	// Why says why drover cannot change it, and Instead what to do.
	Why, Instead string
}

const moveInstead = "to have another one, make a new cluster with it and move the workloads there"

// Of are the settings of an inventory.
func Of(c *inventory.Cluster) []Setting {
	return []Setting{
		{"kubernetes", c.Kubernetes, c.Where.At("kubernetes"),
			"An upgrade goes one minor version at a time, masters first and host by host, and drover has no verb for it yet:\napply would restart all of them with whatever version it is told.",
			"leave it until drover can upgrade"},
		{"pod_cidr", c.PodCIDR.Masked().String(), c.Where.At("pod_cidr"),
			"drover has no verb for it: the nodes hold blocks of the old network, the pods that run have addresses of it, and\nthe BIG-IPs have routes to it.",
			moveInstead},
		{"service_cidr", c.ServiceCIDR.Masked().String(), c.Where.At("service_cidr"),
			"drover has no verb for it: the Services there are keep their addresses, and the pods that run were told the old\naddresses of the API and of DNS.",
			moveInstead},
		{"block_size", strconv.Itoa(c.Calico.BlockSize), c.Calico.Where.At("block_size"),
			"drover has no verb for it: the nodes hold blocks of the old size, and Calico does not cut a pool anew while it is\nin use.",
			moveInstead},
	}
}

// New is the note of a host of this inventory.
func New(c *inventory.Cluster, uid, host string) Note {
	n := Note{Cluster: c.Name, UID: uid, Host: host, Settings: Settings{}}
	for _, s := range Of(c) {
		n.Settings[s.Name] = s.Value
	}
	return n
}

// Text is the note as it is written.
func (n Note) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster=%s\nuid=%s\nhost=%s\n", n.Cluster, n.UID, n.Host)
	for _, name := range names {
		fmt.Fprintf(&b, "%s=%s\n", name, n.Settings[name])
	}
	return b.String()
}

// Tells reports whether the note tells all that another does. It may tell more: a
// later drover may have written it.
func (n Note) Tells(o Note) bool {
	for _, name := range names {
		if n.Settings[name] != o.Settings[name] {
			return false
		}
	}
	return n.Cluster == o.Cluster && n.UID == o.UID && n.Host == o.Host
}

// Parse reads a note.
func Parse(text string) Note {
	n := Note{Settings: Settings{}}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch k {
		case "cluster":
			n.Cluster = v
		case "uid":
			n.UID = v
		case "host":
			n.Host = v
		default:
			n.Settings[k] = v
		}
	}
	return n
}
