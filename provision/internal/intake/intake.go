package intake

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/puppetdb"
)

// Inputs are what rows are made of.
type Inputs struct {
	Settings inventory.PuppetDB
	ByHand   *inventory.Cluster // the inventory without the rows made before
	Made     []inventory.Host   // those
	Nodes    []puppetdb.Node    // of the cluster
	Statuses map[string]puppetdb.Status
	Now      time.Time // by PuppetDB's clock
}

// Result is what becomes of it.
type Result struct {
	Rows    []inventory.Host
	Changes []Change
	Notes   []Note
}

// CodeConflict is the problem of two hosts that claim the same.
const CodeConflict = "puppetdb-conflict"

// Take makes the rows. Two hosts that claim the same name or address are a problem,
// and then there are none: which of them is right only people can tell.
func Take(in Inputs) (Result, diag.Problems) {
	t := &taking{Inputs: in, made: map[string]inventory.Host{}, byHand: map[string]inventory.Host{}, names: map[string]inventory.Host{}}
	for _, h := range in.Made {
		t.made[h.Certname] = h
	}
	for _, h := range in.ByHand.Hosts() {
		t.names[h.Name] = h
		if h.Certname != "" {
			t.byHand[h.Certname] = h
		}
	}
	slices.SortFunc(t.Nodes, func(a, b puppetdb.Node) int { return strings.Compare(a.Certname, b.Certname) })
	seen := map[string]bool{}
	for _, n := range t.Nodes {
		seen[n.Certname] = true
		t.node(n)
	}
	for _, h := range in.Made {
		if !seen[h.Certname] {
			t.absent(h)
		}
	}
	t.conflicts()
	if t.problems.HasErrors() {
		return Result{}, t.problems
	}
	t.compare()
	return t.Result, nil
}

// taking is the work on it.
type taking struct {
	Inputs
	Result
	made, byHand map[string]inventory.Host // by certname
	names        map[string]inventory.Host // that are written by hand
	problems     diag.Problems
}

func (t *taking) node(n puppetdb.Node) {
	old, has := t.made[n.Certname]
	if slices.Contains(t.Settings.Ignore, n.Certname) {
		t.note(Ignored, n.Certname, old.Name, "the inventory has it left out (puppetdb.ignore)")
		return
	}
	if h, ok := t.byHand[n.Certname]; ok {
		t.yours(n, h)
		return
	}
	role, ok := t.role(n)
	if !ok && !has {
		t.note(OtherRole, n.Certname, "", fmt.Sprintf("its certificate's pp_role is %q, and that of hosts of the cluster %q or %q", n.Extensions["pp_role"], t.Settings.MasterRole, t.Settings.NodeRole))
		return
	}
	if !n.Status.Active() {
		if has {
			t.inactive(n.Certname, old.Name, n.Status, kept)
			t.Rows = append(t.Rows, old)
		} else {
			t.inactive(n.Certname, "", n.Status, "it is not added")
		}
		return
	}
	row := old
	if !has && !t.name(n, &row) {
		return
	}
	if h, taken := t.names[row.Name]; taken && !has && h.Certname == "" {
		h.Certname = n.Certname // of two hosts that could be meant, the second is a conflict
		t.names[row.Name] = h
		t.yours(n, h)
		return
	}
	row, ok = t.row(n, role, row)
	if !ok {
		return
	}
	t.health(n, row.Name)
	t.Rows = append(t.Rows, row)
}

// role is what a host's certificate says it is: a fact, anybody with root there could
// make up.
func (t *taking) role(n puppetdb.Node) (inventory.Role, bool) {
	switch n.Extensions["pp_role"] {
	case "":
	case t.Settings.MasterRole:
		return inventory.RoleMaster, true
	case t.Settings.NodeRole:
		return inventory.RoleNode, true
	}
	return "", false
}

// row is the row of an active node, which has its name. What its facts do not tell stays
// as it was.
func (t *taking) row(n puppetdb.Node, role inventory.Role, old inventory.Host) (inventory.Host, bool) {
	row, has := old, old.Certname != ""
	row.Certname = n.Certname
	if role == "" {
		t.note(OtherRole, n.Certname, old.Name, fmt.Sprintf("its certificate's pp_role is %q now; its row stays as it was", n.Extensions["pp_role"]))
		return row, true
	}
	if !inventory.IsCertname(n.Certname) {
		t.note(NoName, n.Certname, row.Name, "that is no certname that an inventory can have")
		return row, false
	}
	if role == inventory.RoleMaster && len(t.ByHand.Masters) > 0 && !slices.Contains(t.ByHand.Masters, row.Name) {
		said := "it is a master by its certificate, but not in cluster.masters: add it there, and import again"
		if has {
			said = "it is a master by its certificate, but not in cluster.masters any more, so its row goes"
		}
		t.note(UnpinnedMaster, n.Certname, row.Name, said)
		return row, false
	}
	row.Role = role
	if t.stale(n) && has {
		return row, true // what is old is not believed against what there is
	}
	if !t.address(n, &row) {
		return row, has
	}
	t.failureDomain(n, &row)
	row.SSH.HostKey = t.hostKey(n, row)
	return row, true
}

func (t *taking) stale(n puppetdb.Node) bool {
	return n.FactsAt.IsZero() || t.Now.Sub(n.FactsAt) > t.Settings.MaxAge.Duration() || t.ahead(n)
}

// fromTheFuture is by how much facts may be newer than the answer that has them.
const fromTheFuture = 5 * time.Minute

// ahead reports whether facts are of a time that has not come, so that they would never
// be too old.
func (t *taking) ahead(n puppetdb.Node) bool { return n.FactsAt.Sub(t.Now) > fromTheFuture }

// label is a name that Kubernetes takes for a node, and the inventory for a host.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (t *taking) name(n puppetdb.Node, row *inventory.Host) bool {
	from := "its certname"
	row.Name, _, _ = strings.Cut(n.Certname, ".")
	if t.Settings.Name == inventory.NameHostname {
		from = "its fact networking.hostname"
		text, _ := n.Text("facts.networking.hostname")
		row.Name = strings.ToLower(text)
	}
	if !label.MatchString(row.Name) {
		t.note(NoName, n.Certname, "", fmt.Sprintf("%q, from %s, cannot be a host's name: give it a row of your own, with certname = %q", row.Name, from, n.Certname))
		return false
	}
	return true
}

func (t *taking) address(n puppetdb.Node, row *inventory.Host) bool {
	text, _ := n.Text(t.Settings.Address)
	a, err := netip.ParseAddr(text)
	if err == nil && a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() {
		row.Address = a
		return true
	}
	said := fmt.Sprintf("%s is %q, which is no address of a machine", t.Settings.Address, text)
	if row.Address.IsValid() {
		said += "; its row stays as it was"
	}
	t.note(NoAddress, n.Certname, row.Name, said)
	return false
}

// zone fits a label of Kubernetes.
var zone = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

func (t *taking) failureDomain(n puppetdb.Node, row *inventory.Host) {
	paths := []string{"trusted.extensions.pp_zone", "trusted.extensions.pp_datacenter"}
	if t.Settings.FailureDomain != "" {
		paths = []string{t.Settings.FailureDomain}
	}
	text := ""
	for _, p := range paths {
		if text, _ = n.Text(p); text != "" {
			break
		}
	}
	switch {
	case zone.MatchString(text):
		row.FailureDomain = text
	case row.FailureDomain != "": // it was known before
	default:
		t.note(NoFailureDomain, n.Certname, row.Name, fmt.Sprintf("%s is %q, so its failure domain is not known", strings.Join(paths, " or "), text))
	}
}

// hostKey is the key to pin. Where PuppetDB is asked for it whenever the host is
// connected to, it is not pinned as well.
func (t *taking) hostKey(n puppetdb.Node, row inventory.Host) string {
	if t.Settings.HostKeys {
		return ""
	}
	keys := n.Keys()
	if len(keys) == 0 || t.stale(n) {
		if row.SSH.HostKey == "" {
			t.note(NoHostKey, n.Certname, row.Name, "its ssh fact tells no key that can be believed, so none is pinned")
		}
		return row.SSH.HostKey
	}
	return keys[0].Line()
}

// yours tells of a node whose row is written by hand.
func (t *taking) yours(n puppetdb.Node, h inventory.Host) {
	said := fmt.Sprintf("its row is your own, at %s", h.Where.Block)
	if text, _ := n.Text(t.Settings.Address); text != h.Address.String() {
		said += fmt.Sprintf("; there its address is %s, and %s is %q", h.Address, t.Settings.Address, text)
	}
	t.note(ByHand, n.Certname, h.Name, said)
	if n.Status.Active() {
		t.health(n, h.Name)
	} else {
		t.inactive(n.Certname, h.Name, n.Status, "its row is your own")
	}
}

// absent tells of a row whose host is not among the cluster's any more, and keeps it.
func (t *taking) absent(h inventory.Host) {
	switch s := t.Statuses[h.Certname]; {
	case slices.Contains(t.Settings.Ignore, h.Certname):
		t.note(Ignored, h.Certname, h.Name, "the inventory has it left out (puppetdb.ignore)")
		return
	case t.byHand[h.Certname].Name != "":
		t.note(ByHand, h.Certname, h.Name, fmt.Sprintf("its row is your own, at %s", t.byHand[h.Certname].Where.Block))
		return
	case !s.Known:
		t.note(Absent, h.Certname, h.Name, "PuppetDB does not know it any more: "+kept)
	case !s.Active():
		t.inactive(h.Certname, h.Name, s, kept)
	default:
		t.note(Absent, h.Certname, h.Name, fmt.Sprintf("its certificate's pp_cluster is not %q any more, or PuppetDB has no facts of it: %s", t.Settings.Cluster, kept))
	}
	t.Rows = append(t.Rows, h)
}
