package intake

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/puppetdb"
)

// Change is what becomes of a row.
type Change struct {
	Action   Action  `json:"action"`
	Role     string  `json:"role"`
	Name     string  `json:"name"`
	Certname string  `json:"certname"`
	Fields   []Field `json:"fields,omitempty"`
}

// Action is what is done to a row.
type Action string

// The actions.
const (
	Add    Action = "add"
	Update Action = "update"
	Drop   Action = "drop" // because the inventory says so
)

// Field is an attribute that has another value; a host key is told by its fingerprint.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// compare tells what becomes of the rows made before.
func (t *taking) compare() {
	now := map[string]bool{}
	for _, h := range t.Rows {
		now[h.Certname] = true
		old, has := t.made[h.Certname]
		c := Change{Action: Update, Role: string(h.Role), Name: h.Name, Certname: h.Certname, Fields: fields(old, h)}
		if !has {
			c.Action = Add
		}
		if len(c.Fields) > 0 {
			t.Changes = append(t.Changes, c)
		}
	}
	for _, h := range t.Made {
		if !now[h.Certname] {
			t.Changes = append(t.Changes, Change{Action: Drop, Role: string(h.Role), Name: h.Name, Certname: h.Certname})
		}
	}
	slices.SortStableFunc(t.Changes, func(a, b Change) int { return strings.Compare(a.Certname, b.Certname) })
}

func fields(before, after inventory.Host) []Field {
	address := ""
	if before.Address.IsValid() {
		address = before.Address.String()
	}
	var changed []Field
	for _, f := range []Field{
		{"role", string(before.Role), string(after.Role)},
		{"address", address, after.Address.String()},
		{"failure_domain", before.FailureDomain, after.FailureDomain},
		{"host_key", puppetdb.Fingerprint(before.SSH.HostKey), puppetdb.Fingerprint(after.SSH.HostKey)},
	} {
		if f.Before != f.After && (f.Name != "role" || before.Role != "") {
			changed = append(changed, f)
		}
	}
	return changed
}

// claim is who has a name or an address.
type claim struct {
	title string
	at    *diag.Range // of what is written by hand
	host  bool        // and is a host
}

// conflicts finds what two hosts claim.
func (t *taking) conflicts() {
	names, addresses := map[string]claim{}, map[string]claim{}
	for _, h := range t.ByHand.Hosts() {
		c := claim{fmt.Sprintf("your own %s %q", h.Role, h.Name), h.Where.Block.Ptr(), true}
		names[h.Name], addresses[h.Address.String()] = c, c
	}
	for _, f5 := range t.ByHand.BigIPs {
		c := claim{fmt.Sprintf("your own bigip %q", f5.Name), f5.Where.Block.Ptr(), false}
		names[f5.Name], addresses[f5.PeerAddress.String()] = c, c
	}
	for _, h := range t.Rows {
		c := claim{title: h.Certname}
		t.claims(names, "name", h.Name, c)
		t.claims(addresses, "address", h.Address.String(), c)
	}
}

func (t *taking) claims(all map[string]claim, what, value string, c claim) {
	before, taken := all[value]
	if !taken {
		all[value] = c
		return
	}
	p := diag.Problem{
		Code: CodeConflict, At: before.at,
		Summary: fmt.Sprintf("%s and %s both have the %s %s", before.title, c.title, what, value),
		Fix:     fmt.Sprintf("find out which is right, and leave the other out: puppetdb { ignore = [%q] }", c.title),
	}
	if before.host {
		p.Fix = fmt.Sprintf("if it is that host, add certname = %q there; else leave it out: puppetdb { ignore = [%[1]q] }", c.title)
	} else if what == "name" && before.at == nil {
		p.Fix = fmt.Sprintf("give one of them a row of your own, of another name and with its certname, or leave it out: puppetdb { ignore = [%q] }", c.title)
	}
	t.problems = append(t.problems, p)
}
