package manifests

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Effect is what a running component needs once one of its files changed.
type Effect string

// The effects.
const (
	Restart Effect = "restart"
	Reload  Effect = "reload" // systemctl reload: no connection is lost
	Nothing Effect = "nothing"
)

// File is one rendered file. Its owner is root:root.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
	Effect  Effect
}

// Object is a Kubernetes object in the form client-go calls unstructured.
type Object = map[string]any

// Service is what all units have in common.
type Service struct {
	// ExtraArgs are flags without their dashes; they win over drover's own.
	ExtraArgs map[string]string
	// RestrictOOMScore leaves oom_score_adj alone, for hosts where even root
	// may not lower it (containers without CAP_SYS_RESOURCE): the unit would
	// not start.
	RestrictOOMScore bool
}

// args are a command's flags, without their dashes.
type args map[string]string

// with lays the operator's flags over drover's.
func (a args) with(extra map[string]string) args {
	all := maps.Clone(a)
	maps.Copy(all, extra)
	return all
}

// lines are the flags as they stand in a unit: sorted, one per line.
func (a args) lines() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		out = append(out, quote("--"+name+"="+a[name]))
	}
	return out
}

// quote protects one argument of ExecStart= from systemd, which expands % and $
// and splits at spaces; see systemd.service(5), "Command lines".
func quote(arg string) string {
	arg = strings.ReplaceAll(strings.ReplaceAll(arg, "%", "%%"), "$", "$$")
	if !strings.ContainsAny(arg, " \t\n\"'\\;") {
		return arg
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(arg) + `"`
}
