package inventory

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
)

// address reads an IPv4 address that a machine can have.
func (b *block) address(name string, dst *netip.Addr) {
	var text string
	if !b.text(name, &text) {
		return
	}
	addr, err := netip.ParseAddr(text)
	spec, _ := b.spec.attr(name)
	p := diag.Problem{
		Code: CodeAddress, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not an IPv4 address", name, text),
		Fix:     fmt.Sprintf("write an address such as %s", spec.example),
	}
	if host, _, isCIDR := strings.Cut(text, "/"); isCIDR {
		if a, err := netip.ParseAddr(host); err == nil {
			p.Fix = fmt.Sprintf("write %s = %q, without the prefix length", name, a)
		}
	}
	switch {
	case err != nil || !addr.Is4():
		b.d.report(p)
	case addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() || addr.IsLinkLocalUnicast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		p.Summary = fmt.Sprintf("%s %s cannot be the address of a machine", name, addr)
		p.Fix = "write the address other machines reach it by"
		b.d.report(p)
	default:
		*dst = addr
	}
}

// cidr reads an IPv4 network.
func (b *block) cidr(name string, dst *netip.Prefix) {
	var text string
	if b.text(name, &text) {
		*dst = b.asCIDR(name, text, b.where.At(name))
	} else if b.where.Written(name) {
		*dst = netip.Prefix{}
	}
}

// cidrs reads a list of IPv4 networks; the wrong ones are reported and left out.
func (b *block) cidrs(name string, dst *[]netip.Prefix) {
	list, ok := b.texts(name)
	if !ok {
		return
	}
	for i, text := range list {
		if p := b.asCIDR(name, text, b.where.AtElement(name, i)); p.IsValid() {
			*dst = append(*dst, p)
		}
	}
}

func (b *block) asCIDR(name, text string, at diag.Range) netip.Prefix {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !prefix.Addr().Is4():
		p := diag.Problem{
			Code: CodeCIDR, At: &at,
			Summary: fmt.Sprintf("%s %q is not an IPv4 network", name, text),
			Fix:     `write an address and a prefix length, such as "10.100.0.0/16"`,
		}
		if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
			p.Fix = fmt.Sprintf(`add the prefix length, such as "%s/24" (/32 for a single address)`, a)
		}
		b.d.report(p)
	case prefix != prefix.Masked():
		b.d.report(diag.Problem{
			Code: CodeCIDRNotMasked, At: &at,
			Summary: fmt.Sprintf("%s %s has bits set beyond its prefix length", name, prefix),
			Fix:     fmt.Sprintf("write %q, or a longer prefix", prefix.Masked()),
		})
	default:
		return prefix
	}
	return netip.Prefix{}
}
