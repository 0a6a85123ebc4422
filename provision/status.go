package provision

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// Status is how a cluster is, as data.
type Status struct {
	SchemaVersion int          `json:"schema_version"`
	Cluster       string       `json:"cluster"`
	Standing      string       `json:"standing"` // "new", "beginning" or "existing"
	Hosts         []HostStatus `json:"hosts"`
	Authorities   []Expiry     `json:"authorities"`
	API           Health       `json:"api"`
	Etcd          EtcdStatus   `json:"etcd"`
	BGP           BGPStatus    `json:"bgp"`
	Inventory     Differences  `json:"inventory"`
	// Strangers are nodes of the cluster that the inventory does not name.
	Strangers []string `json:"strangers"`
	// Problems are all that is not well, one line each; with none, all is well.
	Problems []string `json:"problems"`
}

// HostStatus is one host.
type HostStatus struct {
	Name         string         `json:"name"`
	Role         inventory.Role `json:"role"`
	Away         string         `json:"away,omitempty"` // why it could not be reached; the rest is then empty
	Components   []Component    `json:"components"`
	Certificates []Expiry       `json:"certificates"` // soonest first
	Node         NodeStatus     `json:"node"`
}

// Component is one program on a host.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // in use; empty for what is not drover's to install
	Unit    string `json:"unit,omitempty"`    // empty for what others run, as runc
	State   string `json:"state,omitempty"`   // of the unit: "active", "failed", "absent", …
}

// Up reports whether it runs, as far as it is one that does.
func (c Component) Up() bool { return c.Unit == "" || c.State == "active" }

// Expiry is when a certificate ends.
type Expiry struct {
	Name     string    `json:"name"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	Why      string    `json:"why,omitempty"` // what is wrong with it
}

// NodeStatus is a host's Node as the API sees it.
type NodeStatus struct {
	Ready    bool   `json:"ready"`
	Cordoned bool   `json:"cordoned,omitempty"`
	Why      string `json:"why,omitempty"` // it is not ready, or not known
}

// Health is whether something is well, and in words why not.
type Health struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// EtcdStatus is etcd: how well it is, and its members.
type EtcdStatus struct {
	Health
	Quorum  string       `json:"quorum,omitempty"` // the arithmetic, in words
	Leader  string       `json:"leader,omitempty"`
	Members []EtcdMember `json:"members"`
}

// EtcdMember is one member.
type EtcdMember struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Learner bool   `json:"learner,omitempty"`
	DBBytes int64  `json:"db_bytes,omitempty"`
	Trouble string `json:"trouble,omitempty"`
}

// Differences are what a plan would change.
type Differences struct {
	Things  int       `json:"things"` // that were compared
	Pending []Pending `json:"pending"`
	Unseen  int       `json:"unseen,omitempty"` // things that could not be looked at
	Why     string    `json:"why,omitempty"`    // it is not known what differs
}

// Pending is one change that a plan would make.
type Pending struct {
	ID     plan.ID     `json:"id"`
	Action plan.Action `json:"action"`
	Reason string      `json:"reason"`
}

// Status looks at everything that has a state. It changes nothing, and what it
// cannot look at it tells as not known.
func (s *Session) Status(ctx context.Context) Status {
	out := Status{SchemaVersion: 1, Cluster: s.Cluster.Name, Standing: s.Standing(), Strangers: []string{}, Problems: []string{}}
	nodes, err := s.nodeStates(ctx)
	out.API = Health{OK: err == nil, Text: "ready"}
	if err != nil {
		out.API.Text = err.Error()
	}
	for _, h := range s.Cluster.Hosts() {
		out.Hosts = append(out.Hosts, s.hostStatus(h, nodes, err))
		delete(nodes, h.Name)
	}
	out.Strangers = append(out.Strangers, slices.Sorted(maps.Keys(nodes))...)
	out.Authorities = s.authorities()
	out.Etcd = s.etcdStatus(ctx)
	out.BGP = s.BGP(ctx)
	out.Inventory = s.differences(ctx)
	out.Problems = append(out.Problems, out.judge()...)
	return out
}

func (s *Session) nodeStates(ctx context.Context) (map[string]kube.NodeState, error) {
	access, done := s.anyway()
	defer done()
	api, err := access.API(ctx)
	if err != nil {
		return nil, err
	}
	list, err := api.NodeStates(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]kube.NodeState{}
	for _, n := range list {
		out[n.Name] = n
	}
	return out, nil
}

func (s *Session) hostStatus(h inventory.Host, nodes map[string]kube.NodeState, err error) HostStatus {
	out := HostStatus{Name: h.Name, Role: h.Role, Components: []Component{}, Certificates: []Expiry{}}
	node, there := nodes[h.Name]
	switch {
	case err != nil:
		out.Node.Why = "not known"
	case !there:
		out.Node.Why = "has no Node object"
	default:
		out.Node = NodeStatus{Ready: node.Trouble == "", Cordoned: node.Cordoned, Why: node.Trouble}
	}
	if why := s.Away[h.Name]; why != nil {
		out.Away = strings.TrimPrefix(why.Error(), h.Name+": ")
		return out
	}
	out.Components = s.components(h.Name)
	out.Certificates = s.certificates(h.Name)
	return out
}

// components are what a host should run, as it runs it.
func (s *Session) components(hostname string) []Component {
	snap := s.seen[hostname]
	byName := map[string]Component{}
	for _, r := range s.resources {
		switch r := r.(type) {
		case resource.Unit:
			if r.Host != hostname {
				continue
			}
			name := strings.TrimSuffix(r.Name, ".service")
			c := byName[name]
			c.Name, c.Unit, c.State = name, r.Name, snap.Units[r.Name].Active
			if snap.Units[r.Name].Load == "not-found" {
				c.State = "absent"
			}
			byName[name] = c
		case resource.Artifact:
			if r.Host != hostname {
				continue
			}
			c := byName[r.Component]
			c.Name, c.Version = r.Component, snap.Files[path.Join(resource.OptDir, r.Component, "current")].Link
			byName[r.Component] = c
		}
	}
	out := make([]Component, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

// certificates are a host's leaves, soonest first. Those the kubelet makes for
// itself are not among them: it renews them, and they are in one file with their
// keys, which nobody reads.
func (s *Session) certificates(hostname string) []Expiry {
	out := []Expiry{}
	for _, r := range s.resources {
		c, ok := r.(resource.Certificate)
		if !ok || c.Host != hostname {
			continue
		}
		text, there := s.seen[hostname].Texts[c.Cert.Cert.Path]
		if !there {
			out = append(out, Expiry{Name: c.Cert.Name, Why: "absent"})
			continue
		}
		desc, err := pki.Describe([]byte(text))
		if err != nil {
			out = append(out, Expiry{Name: c.Cert.Name, Why: "unreadable"})
			continue
		}
		out = append(out, s.expiry(c.Cert.Name, desc))
	}
	slices.SortStableFunc(out, func(a, b Expiry) int { return a.NotAfter.Compare(b.NotAfter) })
	return out
}

func (s *Session) expiry(name string, d pki.Description) Expiry {
	return Expiry{Name: name, NotAfter: d.NotAfter.UTC(), DaysLeft: int(d.NotAfter.Sub(s.options.Now()) / (24 * time.Hour))}
}

func (s *Session) authorities() []Expiry {
	out := []Expiry{}
	if s.verdict.Keeper == "" {
		return out
	}
	for _, ca := range pki.CAs() {
		desc := s.access.Bundle.Authority(ca.Name).Describe()
		e := s.expiry(string(ca.Name), desc)
		for _, p := range pki.Lifetime(desc, s.options.Now()) {
			e.Why = p.Summary
		}
		out = append(out, e)
	}
	return out
}

func (s *Session) etcdStatus(ctx context.Context) EtcdStatus {
	out := EtcdStatus{Members: []EtcdMember{}}
	status, err := s.askEtcd(ctx)
	if err != nil {
		out.Text = err.Error()
		return out
	}
	out.Health = Health{OK: true, Text: "healthy"}
	if err := status.Err(); err != nil {
		out.Health = Health{Text: err.Error()}
	}
	out.Quorum = status.Quorum().String()
	for _, m := range status.Members {
		if m.Leader {
			out.Leader = m.String()
		}
		out.Members = append(out.Members, EtcdMember{Name: m.String(), Version: m.Version, Learner: m.Learner, DBBytes: m.DBSize, Trouble: m.Trouble()})
	}
	return out
}

// anyway is a way to a cluster that exists even where its API did not answer: etcd
// may, and why the API does not is worth telling.
func (s *Session) anyway() (access *cluster.Access, done func()) {
	if s.verdict.Standing != identity.Existing || s.access.Exists() {
		return s.access, func() {}
	}
	access = s.way(s.access.Bundle)
	access.Open()
	return access, access.Close
}

func (s *Session) askEtcd(ctx context.Context) (etcd.Status, error) {
	access, done := s.anyway()
	defer done()
	client, err := access.Etcd()
	if err != nil {
		return etcd.Status{}, err
	}
	defer client.Close()
	return client.Status(ctx)
}

func (s *Session) differences(ctx context.Context) Differences {
	out := Differences{Pending: []Pending{}}
	p, err := s.Plan(ctx)
	if err != nil {
		out.Why = err.Error()
		return out
	}
	out.Things = len(p.Changes)
	for _, c := range p.Pending() {
		if c.Before.IsUnknown() && s.verdict.Keeper != "" {
			out.Unseen++
			continue
		}
		out.Pending = append(out.Pending, Pending{c.ID, c.Action, c.Reason})
	}
	return out
}

// judge tells what is not well, the causes before what follows from them.
func (s Status) judge() []string {
	if s.Standing == "new" {
		return []string{fmt.Sprintf("there is no cluster %q yet: `drover apply` makes it", s.Cluster)}
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, h := range s.Hosts {
		if h.Away != "" {
			add("%s: it is away: %s", h.Name, h.Away)
			continue
		}
		for _, c := range h.Components {
			switch {
			case !c.Up():
				add("%s: %s is %s", h.Name, c.Unit, c.State)
			case c.Version == "" && c.Unit == "":
				add("%s: %s is absent", h.Name, c.Name)
			}
		}
		for _, c := range h.Certificates {
			switch {
			case c.Why != "":
				add("%s: the certificate %s is %s", h.Name, c.Name, c.Why)
			case c.DaysLeft < int(pki.RenewBefore/(24*time.Hour)):
				add("%s: the certificate %s ends in %d days: `drover apply` renews it", h.Name, c.Name, c.DaysLeft)
			}
		}
	}
	for _, ca := range s.Authorities {
		if ca.Why != "" {
			add("%s", ca.Why)
		}
	}
	if !s.Etcd.OK {
		add("etcd: %s", strings.TrimPrefix(s.Etcd.Text, "etcd: "))
	}
	if !s.API.OK {
		add("API: %s", s.API.Text)
	}
	for _, h := range s.Hosts {
		if s.API.OK && !h.Node.Ready {
			add("%s: the node %s", h.Name, h.Node.Why)
		}
	}
	for _, name := range s.Strangers {
		add("%s: it is a node of the cluster, but not in the inventory", name)
	}
	out = append(out, s.BGP.Problems()...)
	switch {
	case s.Inventory.Why != "":
		add("inventory: what differs from it is not known: %s", s.Inventory.Why)
	case len(s.Inventory.Pending)+s.Inventory.Unseen > 0:
		add("inventory: %d of %d things differ from it, and %d cannot be seen: `drover plan` shows them",
			len(s.Inventory.Pending), s.Inventory.Things, s.Inventory.Unseen)
	}
	return out
}
