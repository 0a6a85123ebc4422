package components

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/oci"
	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/tree"
)

const (
	// agnhostTag is the version in Kubernetes's test/images/agnhost/VERSION.
	agnhostTag = "2.66.1"
	// nonroot runs what needs no privileges, as in distroless images.
	nonroot = 65532
	// bindService is the capability set cap_net_bind_service=ep as the kernel
	// keeps it in an inode: revision 2 with the effective bit, permitted,
	// inheritable, and both again for capabilities above 31.
	bindService = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
)

// imageSets are the sets of images, made from the programs of the others.
func imageSets(others []recipe) ([]recipe, error) {
	version := func(set string) string {
		i := slices.IndexFunc(others, func(r recipe) bool { return r.name == set })
		if i < 0 {
			return ""
		}
		return others[i].version
	}
	for _, set := range []string{"pause", "coredns", "kubernetes", "calico", "cni"} {
		if version(set) == "" {
			return nil, fmt.Errorf("component images: there is no set %q to make them from", set)
		}
	}
	coredns := "registry.k8s.io/coredns/coredns:v" + version("coredns")
	agnhost := "registry.k8s.io/e2e-test-images/agnhost:" + agnhostTag
	// containerd's default sandbox and kubeadm's: one program, two names.
	pause := []string{"registry.k8s.io/pause:3.10.1", "registry.k8s.io/pause:3.10.2"}
	general := recipe{
		name: "images", version: version("kubernetes"), space: 400 * mib,
		needs:  []string{"pause", "coredns", "kubernetes"},
		images: append(slices.Clone(pause), coredns, agnhost),
		pack: func(_ context.Context, w *work) error {
			if err := w.image(pauseImage(w), pause...); err != nil {
				return err
			}
			if err := w.image(corednsImage(w), coredns); err != nil {
				return err
			}
			return w.image(agnhostImage(w), agnhost)
		},
	}
	return []recipe{general, calicoImages(version("calico"))}, nil
}

func pauseImage(w *work) oci.Spec {
	return oci.Spec{
		Entries: []tree.Entry{tree.File("pause", w.need("pause", "bin/pause"), 0o755)},
		Config:  v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535", WorkingDir: "/", Env: []string{pathEnv("")}},
	}
}

func corednsImage(w *work) oci.Spec {
	program := tree.File("coredns", w.need("coredns", "bin/coredns"), 0o755)
	program.Xattrs = map[string]string{"security.capability": bindService}
	return oci.Spec{
		Entries: append(scratchFiles(), program),
		Config: v1.Config{
			Entrypoint: []string{"/coredns"}, User: fmt.Sprintf("%d:%[1]d", nonroot), WorkingDir: "/",
			Env:          []string{pathEnv("")},
			ExposedPorts: map[string]struct{}{"53/tcp": {}, "53/udp": {}},
		},
	}
}

// agnhostImage holds the program alone; upstream's has a shell and curl besides.
func agnhostImage(w *work) oci.Spec {
	return oci.Spec{
		Entries: append(scratchFiles(),
			tree.File("agnhost", w.need("kubernetes", "bin/agnhost"), 0o755),
			tree.Symlink("agnhost-2", "agnhost"),
			tree.Dir("uploads", 0o777),
		),
		Config: v1.Config{
			Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"}, WorkingDir: "/",
			Env:          []string{pathEnv("")},
			ExposedPorts: map[string]struct{}{"80/tcp": {}, "8080/tcp": {}, "8081/tcp": {}, "9376/tcp": {}, "5000/tcp": {}},
		},
	}
}

// scratchFiles is what a static program expects of a root file system.
func scratchFiles() []tree.Entry {
	return []tree.Entry{
		tree.Dir("etc", 0o755),
		tree.Text("etc/passwd", fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nnonroot:x:%d:%[1]d:nonroot:/:/sbin/nologin\n", nonroot), 0o644),
		tree.Text("etc/group", fmt.Sprintf("root:x:0:\nnobody:x:65534:\nnonroot:x:%d:\n", nonroot), 0o644),
		tree.Text("etc/nsswitch.conf", "hosts: files dns\n", 0o644),
		tree.Dir("tmp", 0o777|fs.ModeSticky),
	}
}

// pathEnv is the PATH of an image, with a directory before the usual ones.
func pathEnv(first string) string {
	path := "PATH="
	if first != "" {
		path += first + ":"
	}
	return path + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
