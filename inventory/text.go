package inventory

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/droverctl/drover/inventory/diag"
)

// The texts of the inventory that have a form of their own.

var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsName    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	version    = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
	duration   = regexp.MustCompile(`^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`)
	notInLabel = regexp.MustCompile(`[^a-z0-9]+`)
)

// checkName holds a block's name to what Kubernetes takes as a node's name
// and DNS as a host's.
func (b *block) checkName() {
	if b.spec.kind == variableSpec.kind {
		if !hclsyntax.ValidIdentifier(b.name) || strings.Contains(b.name, "-") {
			b.d.report(diag.Problem{
				Code: CodeName, At: b.where.At("name").Ptr(),
				Summary: fmt.Sprintf("%q cannot be the name of a variable", b.name),
				Fix:     "use letters, digits and _, with a letter first",
			})
		}
		return
	}
	if dnsLabel.MatchString(b.name) {
		return
	}
	fix := "use a name of at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends"
	if better := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(b.name), "-"), "-"); dnsLabel.MatchString(better) {
		fix = fmt.Sprintf("use %q", better)
	}
	b.d.report(diag.Problem{
		Code: CodeName, At: b.where.At("name").Ptr(),
		Summary: fmt.Sprintf("%q cannot be the name of a %s", b.name, b.spec.kind), Fix: fix,
	})
}

// labels reads the labels of a Kubernetes node.
func (b *block) labels(name string, dst *map[string]string) {
	m, ok := b.textMap(name)
	if !ok {
		return
	}
	for _, key := range sortedKeys(m) {
		if !isLabelKey(key) {
			b.badLabel(fmt.Sprintf("%q cannot be the key of a label", key), b.where.AtKey(name, key))
			ok = false
		}
		if !labelValue.MatchString(m[key]) {
			b.badLabel(fmt.Sprintf("%q cannot be the value of label %s", m[key], key), b.where.AtKey(name, key))
			ok = false
		}
	}
	if ok {
		*dst = m
	}
}

// failureDomain becomes the value of a zone label, and must be fit for that.
func (b *block) failureDomain(name string, dst *string) {
	if b.text(name, dst) && !labelValue.MatchString(*dst) {
		b.badLabel(fmt.Sprintf("%s %q cannot be the value of a label", name, *dst), b.where.At(name))
	}
}

func (b *block) badLabel(summary string, at diag.Range) {
	b.d.report(diag.Problem{
		Code: CodeLabel, At: &at, Summary: summary,
		Fix: "use at most 63 letters, digits, - _ and . with a letter or digit at both ends (a key may begin with a domain and /)",
	})
}

func isLabelKey(key string) bool {
	domain, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		domain, name = "", key
	}
	return name != "" && labelValue.MatchString(name) &&
		(!prefixed || len(domain) <= 253 && dnsName.MatchString(domain))
}

// version reads a release such as 1.37.2.
func (b *block) version(name string, dst *string) {
	if !b.text(name, dst) || version.MatchString(*dst) {
		return
	}
	spec, _ := b.spec.attr(name)
	fix := fmt.Sprintf("write a full version, such as %s", spec.example)
	if plain := strings.TrimPrefix(*dst, "v"); version.MatchString(plain) {
		fix = fmt.Sprintf("write %q", plain)
	}
	b.d.report(diag.Problem{
		Code: CodeVersion, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not a version", name, *dst), Fix: fix,
	})
}

// endpoint reads host:port.
func (b *block) endpoint(name string, dst *string) {
	if !b.text(name, dst) || isEndpoint(*dst) {
		return
	}
	fix := `write a host and a port, such as "k8s.example.net:6443"`
	if bare := strings.TrimSuffix(strings.TrimPrefix(*dst, "https://"), "/"); isEndpoint(bare) {
		fix = fmt.Sprintf("write %q", bare)
	} else if isEndpoint(bare + ":6443") {
		fix = fmt.Sprintf("add the port: %q", bare+":6443")
	}
	b.d.report(diag.Problem{
		Code: CodeEndpoint, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not a host and a port", name, *dst), Fix: fix,
	})
}

func isEndpoint(s string) bool {
	host, port, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Is4()
	}
	return len(host) <= 253 && dnsName.MatchString(host)
}

// path reads the name of a file on the machine drover runs on. Like file(),
// it counts from the directory of the inventory file it stands in, not from
// wherever drover was started; ~ is left to the reader of the file.
func (b *block) path(name string, dst *string) {
	if b.text(name, dst) && !filepath.IsAbs(*dst) && !strings.HasPrefix(*dst, "~") {
		*dst = filepath.Join(b.scope.dir, *dst)
	}
}

// cpu and memory read quantities as Kubernetes writes them.
func (b *block) cpu(name string, dst *MilliCPU) {
	if n, ok := b.quantity(name, cpuUnits()); ok {
		*dst = MilliCPU(n)
	}
}

func (b *block) memory(name string, dst *Bytes) {
	if n, ok := b.quantity(name, memoryUnits()); ok {
		*dst = Bytes(n)
	}
}

func (b *block) quantity(name string, units map[string]int64) (int64, bool) {
	var text string
	if !b.text(name, &text) {
		return 0, false
	}
	if n, ok := quantity(text, units); ok {
		return n, true
	}
	spec, _ := b.spec.attr(name)
	b.d.report(diag.Problem{
		Code: CodeQuantity, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not a quantity", name, text),
		Fix:     fmt.Sprintf("write it as Kubernetes does, such as %s", spec.example),
	})
	return 0, false
}

// span is the range of a duration.
type span struct{ min, max Seconds }

// duration reads a span of time in whole seconds, as Go writes one.
func (b *block) duration(name string, dst *Seconds, l span) {
	var text string
	if !b.text(name, &text) {
		if b.where.Written(name) {
			*dst = 0
		}
		return
	}
	*dst = 0
	at := b.where.At(name)
	took, err := time.ParseDuration(text)
	if err != nil || !duration.MatchString(text) {
		b.d.report(diag.Problem{
			Code: CodeDuration, At: &at,
			Summary: fmt.Sprintf("%s %q is not a duration", name, text),
			Fix:     fmt.Sprintf("write hours, minutes and seconds with their units, such as %s or \"1h30m\"", b.spec.mustAttr(name).example),
		})
		return
	}
	if s := Seconds(took / time.Second); s >= l.min && s <= l.max {
		*dst = s
		return
	}
	b.d.report(diag.Problem{
		Code: CodeOutOfRange, At: &at,
		Summary: fmt.Sprintf("%s %s is out of range", name, text),
		Fix:     fmt.Sprintf("write a duration from %ds to %dh", l.min, l.max/3600),
	})
}

// Date is a day: 2027-01-31.
type Date string

// Over reports whether the day has passed, wherever on earth one is.
func (d Date) Over(now time.Time) bool {
	day, err := time.Parse(time.DateOnly, string(d))
	return err == nil && !now.Before(day.AddDate(0, 0, 1).Add(12*time.Hour)) // UTC-12 comes last
}

// date reads a day.
func (b *block) date(name string, dst *Date) {
	var text string
	if _, known := b.spec.attr(name); !known || !b.text(name, &text) {
		return
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		b.d.report(diag.Problem{
			Code: CodeDate, At: b.where.At(name).Ptr(),
			Summary: fmt.Sprintf("%s %q is not a day", name, text),
			Fix:     "write year, month and day, such as " + b.spec.mustAttr(name).example,
		})
		return
	}
	*dst = Date(text)
}

// trimNewline takes one line ending off.
func trimNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
