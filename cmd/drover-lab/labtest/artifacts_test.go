package labtest

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// built are the components of a lab that is up: all.
func built(t *testing.T, l lab) labkit.Components {
	t.Helper()
	c := l.Components(t)
	for _, s := range c.Sets {
		if s.State != "built" {
			t.Fatalf("set %s is %s after an up that builds all", s.Set, s.State)
		}
	}
	return c
}

// What the mirror lists, a machine can fetch, and it matches its digest.
func TestMirrorServesEveryArtifact(t *testing.T) {
	l := shared(t)
	mirror := l.status(t).MirrorURL
	all := built(t, l).Artifacts()
	if len(all) < 10 {
		t.Fatalf("only %d artifacts", len(all))
	}
	var want []string
	for _, a := range all {
		want = append(want, a.Path)
	}
	slices.Sort(want)
	if got := crawl(t, mirror+"/"); !slices.Equal(got, want) {
		t.Errorf("the mirror lists\n%s\nwant what components list has:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var script strings.Builder
	script.WriteString("set -e\n")
	for _, a := range all {
		fmt.Fprintf(&script, "echo $(curl -sSf %[1]s/%[2]s.sha256) %[2]s.sha256\n", mirror, a.Path)
	}
	var size int64
	for _, a := range all {
		size += a.Size
		fmt.Fprintf(&script, "echo $(curl -sSf %[1]s/%[2]s | sha256sum | cut -d' ' -f1) %[2]s\n", mirror, a.Path)
	}
	start := time.Now()
	got := map[string]string{}
	for _, line := range strings.Split(l.SSH(t, "kube-node-1", script.String()), "\n") {
		digest, name, _ := strings.Cut(line, " ")
		got[name] = digest
	}
	t.Logf("%d files, %d MB in %s", len(all), size>>20, time.Since(start).Round(100*time.Millisecond))
	for _, a := range all {
		if got[a.Path+".sha256"] != a.SHA256 {
			t.Errorf("%s.sha256: %q, want %s", a.Path, got[a.Path+".sha256"], a.SHA256)
		}
		if got[a.Path] != a.SHA256 {
			t.Errorf("%s: its content has digest %q, want %s", a.Path, got[a.Path], a.SHA256)
		}
	}
}

var link = regexp.MustCompile(`href="\./([^"]+)"`)

// crawl are the artifacts found by following the mirror's listings, as a person
// would: all files but digests and packages.
func crawl(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	var visit func(dir string)
	visit = func(dir string) {
		resp, err := http.Get(root + dir)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s%s: %s, %v", root, dir, resp.Status, err)
		}
		for _, m := range link.FindAllStringSubmatch(string(page), -1) {
			name := path.Join(dir, m[1])
			switch {
			case name == "apt":
			case strings.HasSuffix(m[1], "/"):
				visit(name + "/")
			case !strings.Contains(strings.ToLower(m[1]), "sha256"):
				found = append(found, name)
			}
		}
	}
	visit("")
	slices.Sort(found)
	return found
}

// A host's containerd, installed from the mirror, pulls images by the names
// upstream gives them.
func TestContainerdPulls(t *testing.T) {
	l := shared(t)
	s := l.status(t)
	c := built(t, l)
	const host = "kube-node-1"
	l.SSH(t, host, fmt.Sprintf(`sudo sh -ec '
		curl -sSf %[1]s/%[2]s | tar -xz -C /usr/local
		curl -sSf -o /usr/local/sbin/runc %[1]s/%[3]s
		chmod 755 /usr/local/sbin/runc
		for registry in registry.k8s.io docker.io quay.io; do
			mkdir -p /etc/containerd/certs.d/$registry
			printf "server = \"https://%%s\"\n[host.\"http://%[4]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n" $registry \
				> /etc/containerd/certs.d/$registry/hosts.toml
		done
		systemd-run --unit=containerd-labtest /usr/local/bin/containerd'`,
		s.MirrorURL, c.Artifact(t, "containerd").Path, c.Artifact(t, "runc").Path, s.Registry))
	t.Cleanup(func() {
		l.Run(t, "ssh", host, "sudo systemctl stop containerd-labtest; sudo rm -rf /var/lib/containerd/*")
	})
	labkit.Await(t, 30*time.Second, "containerd answers", func() error {
		_, err := l.Try(t.Context(), host, "sudo ctr version")
		return err
	})
	pulled := 0
	for _, set := range c.Sets {
		for _, image := range set.Images {
			if !strings.HasPrefix(image.Name, "registry.k8s.io/pause:") && !strings.HasPrefix(image.Name, "docker.io/calico/node:") {
				continue
			}
			pulled++
			l.SSH(t, host, "sudo ctr images pull --hosts-dir /etc/containerd/certs.d "+image.Name)
			if out := l.SSH(t, host, "sudo ctr images list name=="+image.Name); !strings.Contains(out, image.Digest) {
				t.Errorf("%s was pulled, but with another digest than %s:\n%s", image.Name, image.Digest, out)
			}
		}
	}
	if pulled < 2 {
		t.Errorf("components list names %d images of pause and calico/node", pulled)
	}
	if out, err := l.Try(t.Context(), host, "sudo ctr images pull --hosts-dir /etc/containerd/certs.d docker.io/library/nosuch:1"); err == nil {
		t.Errorf("an image nobody has was pulled: %s", out)
	}
}
