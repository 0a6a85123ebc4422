package components

import (
	"context"
	"io/fs"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/oci"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
	"github.com/droverctl/drover/cmd/drover-lab/internal/debian"
)

// kubeControllersUser is the user Calico's controllers run as.
const kubeControllersUser = 999

func calicoImages(version string) recipe {
	name := func(repo string) string { return "docker.io/calico/" + repo + ":v" + version }
	return recipe{
		name: "calico-images", version: version, space: gib,
		needs:    []string{"calico", "cni"},
		commands: []string{"mmdebstrap"}, apt: []string{"mmdebstrap"},
		images: []string{name("cni"), name("kube-controllers"), name("node")},
		pack: func(ctx context.Context, w *work) error {
			if err := w.image(calicoCNIImage(w), name("cni")); err != nil {
				return err
			}
			if err := w.image(kubeControllersImage(w), name("kube-controllers")); err != nil {
				return err
			}
			node, err := calicoNodeImage(ctx, w)
			if err != nil {
				return err
			}
			return w.image(node, name("node"))
		},
	}
}

// cniPluginsOfCalico are the reference plugins in Calico's image.
func cniPluginsOfCalico() []string {
	return []string{"bandwidth", "host-local", "loopback", "portmap", "tuning"}
}

// calicoCNIImage holds what its installer copies to the host: Calico's plugin
// under both its names, and the reference plugins that upstream's image has.
func calicoCNIImage(w *work) oci.Spec {
	const bin = "opt/cni/bin/"
	entries := append(scratchFiles(),
		tree.File(bin+"calico", w.need("calico", "bin/calico"), 0o755),
		tree.Entry{Name: bin + "calico-ipam", Hardlink: bin + "calico", Mode: 0o755},
		tree.File(bin+"install", w.need("calico", "bin/install"), 0o755),
	)
	for _, plugin := range cniPluginsOfCalico() {
		entries = append(entries, tree.File(bin+plugin, w.need("cni", "bin", plugin), 0o755))
	}
	return oci.Spec{Entries: entries, Config: v1.Config{
		Cmd: []string{"/opt/cni/bin/install"}, WorkingDir: "/opt/cni/bin", Env: []string{pathEnv("/opt/cni/bin")},
	}}
}

func kubeControllersImage(w *work) oci.Spec {
	owned := func(e tree.Entry) tree.Entry {
		e.UID, e.GID = kubeControllersUser, 0
		return e
	}
	return oci.Spec{
		Entries: append(scratchFiles(),
			tree.File("usr/bin/kube-controllers", w.need("calico", "bin/kube-controllers"), 0o755),
			tree.File("usr/bin/check-status", w.need("calico", "bin/check-status"), 0o755),
			tree.File("usr/bin/wrapper", w.need("calico", "bin/wrapper"), 0o755),
			owned(tree.Dir("status", 0o755)), owned(tree.Text("status/status.json", "", 0o644)),
			owned(tree.Dir("profiles", 0o755)),
		),
		Config: v1.Config{
			Entrypoint: []string{"/usr/bin/wrapper", "/usr/bin/kube-controllers"},
			User:       "999", WorkingDir: "/", Env: []string{pathEnv("")},
		},
	}
}

// calicoNodeImage is a Debian root with Calico's program, services and templates.
func calicoNodeImage(ctx context.Context, w *work) (oci.Spec, error) {
	w.say("Debian root of calico/node")
	root, base := w.scratch("root.tar"), w.scratch("base.tar")
	err := debian.Bootstrap(ctx, root, debian.Options{
		Log: log{w.say},
		Packages: []string{
			"bird", "ca-certificates", "conntrack", "ipset", "iproute2", "iptables", "kmod", "nftables", "procps", "runit",
		},
		Hooks: []string{
			// Debian's runit makes it a link to its own directory of services.
			`rm -rf "$1/etc/service"`,
			`rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/*`,
		},
	})
	if err != nil {
		return oci.Spec{}, err
	}
	// Containers get a /dev of their own, and unpacking device nodes takes a
	// privilege that a lab's hosts need not have.
	err = tree.Filter(base, root, func(name string) bool { return strings.HasPrefix(name, "dev/") })
	if err != nil {
		return oci.Spec{}, err
	}
	if err := os.Remove(root); err != nil {
		return oci.Spec{}, err
	}
	entries, err := calicoNodeFiles(w)
	if err != nil {
		return oci.Spec{}, err
	}
	return oci.Spec{Base: base, Entries: entries, Config: v1.Config{
		Cmd: []string{"start_runit"}, WorkingDir: "/",
		Env: []string{
			pathEnv(""), "SVDIR=/etc/service/enabled",
			// Built without cgo, Felix panics when it cleans up what its eBPF data
			// plane may have left.
			"FELIX_DebugSkipCTLBCleanup=true",
		},
	}}, nil
}

func calicoNodeFiles(w *work) ([]tree.Entry, error) {
	// Into usr/bin and usr/sbin: /bin and /sbin are links in Debian's root.
	entries := []tree.Entry{
		tree.File("usr/bin/calico-node", w.need("calico", "bin/calico-node"), 0o755),
		tree.File("usr/bin/mountns", w.need("calico", "bin/mountns"), 0o755),
		// The liveness probe asks birdcl, which Debian leaves out; birdc without a
		// terminal answers the same.
		tree.Symlink("usr/bin/birdcl", "/usr/sbin/birdc"),
		tree.Symlink("usr/bin/birdcl6", "/usr/sbin/birdc6"),
		tree.Dir("var/log/calico", 0o755),
	}
	for _, part := range []struct{ to, from string }{
		{"etc", "share/node/etc"}, {"usr/sbin", "share/node/sbin"}, {"etc", "share/confd"},
	} {
		files, err := tree.Under(part.to, w.need("calico", part.from))
		if err != nil {
			return nil, err
		}
		for _, e := range files {
			if path.Base(e.Name) == ".gitkeep" {
				continue
			}
			if e, err = calicoNodeFile(e); err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// calicoNodeFile gives scripts back the mode that a module cannot carry, and
// takes from templates what Debian's BIRD does not understand.
func calicoNodeFile(e tree.Entry) (tree.Entry, error) {
	if e.File == "" {
		return e, nil
	}
	if path.Base(e.Name) == "run" || e.Name == "etc/rc.local" || strings.HasPrefix(e.Name, "usr/sbin/") {
		e.Mode = e.Mode&fs.ModeType | 0o755
	}
	if !strings.HasSuffix(e.Name, ".template") {
		return e, nil
	}
	template, err := os.ReadFile(e.File)
	if err != nil {
		return e, err
	}
	e.File, e.Content = "", withoutTunnels(template)
	return e, nil
}

// withoutTunnels drops the lines that choose an IPIP device, an attribute of
// Calico's own BIRD. Right as long as no pool uses IPIP, which the lab's kernel
// could not do either.
func withoutTunnels(template []byte) []byte {
	var kept strings.Builder
	for line := range strings.Lines(string(template)) {
		if !strings.Contains(line, "krt_tunnel") {
			kept.WriteString(line)
		}
	}
	return []byte(kept.String())
}
