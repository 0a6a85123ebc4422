package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// generatedMark begins the line by which a file that drover writes is known. What
// follows is the digest of all below the line, so that an edit is seen.
const generatedMark = "# written by drover, sha256:"

// Generated is a file of rows. The same rows are the same bytes, whatever their order.
// Of a row its role, name, address, failure domain, certname and pinned host key are
// written; comment says where the rows are from.
func Generated(hosts []Host, comment string) []byte {
	f := hclwrite.NewEmptyFile()
	for i, h := range sortedHosts(hosts) {
		if i > 0 {
			f.Body().AppendNewline()
		}
		row := f.Body().AppendNewBlock(string(h.Role), []string{h.Name}).Body()
		set := func(body *hclwrite.Body, name, value string) {
			if value != "" {
				body.SetAttributeValue(name, cty.StringVal(value))
			}
		}
		set(row, "address", h.Address.String())
		set(row, "failure_domain", h.FailureDomain)
		set(row, "certname", h.Certname)
		if h.SSH.HostKey != "" {
			row.AppendNewline()
			set(row.AppendNewBlock("ssh", nil).Body(), "host_key", h.SSH.HostKey)
		}
	}
	var text bytes.Buffer
	for line := range strings.Lines(comment) {
		text.WriteString("# " + line)
	}
	text.WriteString("\n\n")
	text.Write(hclwrite.Format(f.Bytes()))
	return append([]byte(generatedMark+digest(text.Bytes())+"\n"), text.Bytes()...)
}

// sortedHosts are masters first, each kind by name with its numbers as numbers.
func sortedHosts(hosts []Host) []Host {
	sorted := slices.Clone(hosts)
	slices.SortFunc(sorted, func(a, b Host) int {
		if a.Role != b.Role {
			return strings.Compare(string(a.Role), string(b.Role)) // kube_master is before kube_node
		}
		return compareNames(a.Name, b.Name)
	})
	return sorted
}

// compareNames has node-9 before node-10.
func compareNames(a, b string) int {
	x, y := strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")
	if x != y || len(a) == len(b) {
		return strings.Compare(a, b)
	}
	return len(a) - len(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// NotGeneratedError says that a file is not, or not any more, as drover has written it.
type NotGeneratedError struct {
	File   string
	Edited bool // drover has written it, and somebody has changed it since
}

func (e *NotGeneratedError) Error() string {
	if e.Edited {
		return fmt.Sprintf("%s was edited since drover wrote it, and that would be lost: move what was added into a file of your own (a row there is left to you), and remove this one", e.File)
	}
	return fmt.Sprintf("%s was not written by drover, so it is not overwritten: give another file", e.File)
}

// ReadGenerated reads the rows of a file that Generated has written. Without such a
// file there are none.
func ReadGenerated(name string, src []byte) ([]Host, error) {
	first, rest, _ := bytes.Cut(src, []byte("\n"))
	sum, ours := strings.CutPrefix(string(first), generatedMark)
	if !ours {
		return nil, &NotGeneratedError{File: name}
	}
	if sum != digest(rest) {
		return nil, &NotGeneratedError{File: name, Edited: true}
	}
	c, problems := Options{Instead: map[string][]byte{name: src}}.LoadPart(name)
	if c == nil {
		return nil, problems
	}
	for _, h := range [][]Host{c.KubeMasters, c.KubeNodes} {
		for i := range h {
			h[i].SSH = SSH{HostKey: h[i].SSH.HostKey} // the rest is the inventory's
		}
	}
	return c.Hosts(), nil
}
