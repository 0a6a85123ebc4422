package fleettest

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// End is what the hosts and the API hold in the end, as text, without what differs
// between two clusters that are the same: keys, serial numbers, times, how often
// something was started, who held the fleet's lock. Of a certificate it tells whom it
// is for.
func (f *Fleet) End() string {
	var out strings.Builder
	for _, h := range f.Hosts {
		s := h.Machine.State()
		for _, name := range slices.Sorted(maps.Keys(s.Files)) {
			if hosttest.OfLock(name) || strings.HasPrefix(name, snapshotDir) { // of runs, not of the cluster
				continue
			}
			file := s.Files[name]
			fmt.Fprintf(&out, "%s %s %s %04o %s%s%s\n", h.Name, name, file.Kind, file.Mode.Perm(), file.Owner, arrow(file.Target), essence(name, file))
		}
		for _, name := range slices.Sorted(maps.Keys(s.Units)) {
			fmt.Fprintf(&out, "%s %s enabled=%v active=%v\n", h.Name, name, s.Units[name].Enabled, s.Units[name].Active)
		}
		for _, key := range slices.Sorted(maps.Keys(s.Sysctls)) {
			if value := s.Sysctls[key]; value != "0" { // else as it is when nobody sets it
				fmt.Fprintf(&out, "%s %s=%s\n", h.Name, key, value)
			}
		}
	}
	for _, object := range f.api.held() {
		fmt.Fprintln(&out, "cluster", object)
	}
	return out.String()
}

func arrow(target string) string {
	if target == "" {
		return ""
	}
	return " -> " + target
}

func essence(name string, f hosttest.File) string {
	if f.Kind != hosttest.Regular {
		return ""
	}
	return " " + Essence(name, f.Content)
}

// Essence is what of a file's content must be the same in any cluster of an
// inventory.
func Essence(name, content string) string {
	switch {
	case strings.HasSuffix(name, ".crt"):
		return certificate(content)
	case strings.HasSuffix(name, ".key"), strings.HasSuffix(name, ".pub"), path.Base(name) == "encryption-config.yaml":
		return fmt.Sprint(content != "")
	case path.Base(name) == "record.drover":
		return alike(inOrder(content))
	}
	return alike(content)
}

// timeOfWriting begins a record's line of an installed file.
const timeOfWriting = `(?m)^\d+(?:\.\d+)+ `

// inOrder is a record of installed files without the times of writing, its lines in
// an order that does not depend on the file system.
func inOrder(record string) string {
	lines := strings.Split(regexp.MustCompile(timeOfWriting).ReplaceAllString(record, ""), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// alike is a digest of a text, the same for those of clusters that are the same.
func alike(text string) string {
	for _, own := range []string{
		`sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b`, // of keys
		`(?m)^uid.*$`, `\b[0-9a-f]{40}\b`,      // the cluster's
		timeOfWriting, `"[^"]*-[0-9a-f]{40}"`, // a time of writing
		`"changed": "[^"]*"`, // that of a host's last change
	} {
		text = regexp.MustCompile(own).ReplaceAllString(text, "…")
	}
	return fmt.Sprintf("%.12s", digest(text))
}

func certificate(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "no certificate"
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%q by %q for %v %v, use %v %v", c.Subject, c.Issuer, c.DNSNames, c.IPAddresses, c.KeyUsage, c.ExtKeyUsage)
}

// held are all objects but tokens: one of a run that was killed ends by its own.
func (a *api) held() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for k, objects := range a.objects {
		for name, o := range objects {
			if !strings.Contains(name, "/bootstrap-token-") {
				out = append(out, fmt.Sprintf("%s %s %s %s", cmp.Or(k.group, "core"), k.kind, name, Said(o)))
			}
		}
	}
	slices.Sort(out)
	return out
}

// Said is what of an object is to be so, and neither how it is nor what the API
// says of it.
func Said(o map[string]any) string {
	o = maps.Clone(o)
	meta := maps.Clone(metadata(o)) // and generation: a taint that comes and goes counts there
	for _, own := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"} {
		delete(meta, own)
	}
	o["metadata"] = meta
	delete(o, "status")
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return alike(string(text))
}

// UID is that of an object without a namespace, "" when there is none.
func (f *Fleet) UID(of, name string) string {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	for k, objects := range f.api.objects {
		if o := objects["/"+name]; k.kind == of && o != nil {
			uid, _ := metadata(o)["uid"].(string)
			return uid
		}
	}
	return ""
}
