package inventory

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"

	"github.com/droverctl/drover/inventory/diag"
)

// PuppetDB is where hosts, and their SSH host keys, can be looked up.
type PuppetDB struct {
	Where Where  `json:"-"`
	URL   string `json:"url"`
	// Files of the certificate that drover shows, its key, and the authority that
	// PuppetDB's own is of; those of this machine's Puppet agent when empty.
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
	CA   string `json:"ca,omitempty"`

	Cluster    string `json:"cluster"` // pp_cluster of the hosts
	MasterRole string `json:"master_role"`
	NodeRole   string `json:"node_role"`
	// Name is what hosts are named after: their certname or their hostname.
	Name          PuppetName `json:"name"`
	Address       string     `json:"address"`                  // path of the fact
	FailureDomain string     `json:"failure_domain,omitempty"` // path of the fact or extension; pp_zone, else pp_datacenter, when empty
	MaxAge        Seconds    `json:"max_age_seconds"`          // of facts that are believed
	HostKeys      bool       `json:"host_keys"`                // whether the ssh fact speaks for host keys
	Ignore        []string   `json:"ignore,omitempty"`         // certnames of which no rows are wanted
}

// PuppetName is what a host is named after.
type PuppetName string

// NameCertname is the certname's first part, NameHostname the fact networking.hostname.
const (
	NameCertname PuppetName = "certname"
	NameHostname PuppetName = "hostname"
)

// DefaultPuppetDB is what a block without attributes says.
func DefaultPuppetDB() PuppetDB {
	return PuppetDB{
		MasterRole: string(RoleMaster), NodeRole: string(RoleNode), Name: NameCertname,
		Address: "facts.networking.ip", MaxAge: 2 * 60 * 60,
	}
}

var (
	certname = regexp.MustCompile(`^[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?$`)
	factPath = regexp.MustCompile(`^(facts|trusted\.extensions)(\.[A-Za-z0-9_-]+)+$`)
)

// factAges is how old facts may be: below, an agent that runs every half hour is
// hardly ever in time; above, a host that is gone would still be believed.
var factAges = span{60, 7 * 24 * 60 * 60}

func (b *block) puppetdb(p *PuppetDB) {
	*p = DefaultPuppetDB()
	p.Where = b.where
	b.url("url", &p.URL)
	b.plainOnLoopback("url", &p.URL)
	b.path("cert", &p.Cert)
	b.path("key", &p.Key)
	b.path("ca", &p.CA)
	b.text("cluster", &p.Cluster)
	b.text("master_role", &p.MasterRole)
	b.text("node_role", &p.NodeRole)
	choice(b, "name", &p.Name, NameCertname, NameHostname)
	b.fact("address", &p.Address)
	b.fact("failure_domain", &p.FailureDomain)
	b.duration("max_age", &p.MaxAge, factAges)
	b.flag("host_keys", &p.HostKeys)
	if list, ok := b.texts("ignore"); ok {
		p.Ignore = list
	}
}

// plainOnLoopback refuses plain HTTP to other machines: whoever listens in would
// say which host keys are right.
func (b *block) plainOnLoopback(name string, dst *string) {
	if *dst == "" || PlainOnLoopback(*dst) {
		return
	}
	b.d.report(diag.Problem{
		Code: CodeURL, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s is plain HTTP to another machine", name),
		Detail:  "What PuppetDB says is believed, so it has to be known who says it. Plain HTTP is for 127.0.0.1 alone.",
		Fix:     "write " + b.spec.mustAttr(name).sample(),
	})
	*dst = ""
}

// PlainOnLoopback reports whether a URL is HTTPS, or leads to this machine.
func PlainOnLoopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" {
		return err == nil && u.Scheme == "https"
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}

// fact reads the path of a fact, or of an extension of a certificate.
func (b *block) fact(name string, dst *string) {
	if !b.text(name, dst) || IsFactPath(*dst) {
		return
	}
	b.d.report(diag.Problem{
		Code: CodeFact, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not the path of a fact", name, *dst),
		Detail:  "It begins with facts. or trusted.extensions., and its parts are letters, digits, - and _.",
		Fix:     "write " + b.spec.mustAttr(name).sample(),
	})
	*dst = ""
}

// IsFactPath reports whether a text leads to a fact or an extension.
func IsFactPath(text string) bool { return factPath.MatchString(text) }

// IsCertname reports whether a text can be a host's name in Puppet.
func IsCertname(text string) bool { return certname.MatchString(text) }

// certname reads a name as Puppet's certificates have it.
func (b *block) certname(name string, dst *string) {
	if !b.text(name, dst) || certname.MatchString(*dst) {
		return
	}
	b.d.report(diag.Problem{
		Code: CodeCertname, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%q cannot be a certname", *dst),
		Fix:     "write what `puppet config print certname` says on the host: lower-case letters, digits, - _ and .",
	})
	*dst = ""
}

// checkCertnames: two hosts of one certname would have one host's keys.
func (d *decoder) checkCertnames(c *Cluster) {
	first := map[string]Host{}
	for _, h := range c.Hosts() {
		before, taken := first[h.Certname]
		if h.Certname == "" {
			continue
		}
		if !taken {
			first[h.Certname] = h
			continue
		}
		d.report(diag.Problem{
			Code: CodeCertname, At: h.Where.At("certname").Ptr(),
			Summary: fmt.Sprintf("%s %q has a certname that is taken: %s", h.Role, h.Name, h.Certname),
			Detail:  fmt.Sprintf("%s %q has it at %s.", before.Role, before.Name, before.Where.At("certname")),
			Fix:     "write each host's own, or remove one of the two",
		})
	}
}
