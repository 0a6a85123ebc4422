package labtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// endOfHost prints a host's files in the places that drover writes to, with what is
// in them where that is text and no key, and the units that are its own.
const endOfHost = `
places=$(ls -d /etc/kubernetes /etc/drover /etc/containerd /etc/cni /etc/sysctl.d /etc/modules-load.d /etc/systemd/system /opt/drover /var/lib/drover /var/lib/etcd /var/lib/kubelet/config.yaml /var/lib/kubelet/pki /var/lib/kube-proxy 2>/dev/null)
find $places -path '/var/lib/etcd/*' -prune -o -printf 'file %y %m %u:%g %p -> %l\n'
find $places -path '/var/lib/etcd/*' -prune -o -type f -size -64k ! -name '*.key' ! -name encryption-config.yaml \( ! -path '/opt/*' -o -name '*.drover' \) -print |
	while read -r f; do printf 'content %s ' "$f"; base64 -w0 "$f"; echo; done
cd /etc/systemd/system && for u in *.service; do
	echo "unit $u $(systemctl is-enabled "$u" 2>/dev/null) $(systemctl is-active "$u" 2>/dev/null)"
done`

// transient are kinds whose objects come and go with what runs, or say how it is.
var transient = []string{
	"pods", "replicasets.apps", "controllerrevisions.apps", "endpoints", "endpointslices.discovery.k8s.io", "secrets",
	"certificatesigningrequests.certificates.k8s.io", "blockaffinities.crd.projectcalico.org", "ipamblocks.crd.projectcalico.org",
	"ipamhandles.crd.projectcalico.org", "caliconodestatuses.crd.projectcalico.org", "clusterinformations.crd.projectcalico.org",
	"csinodes.storage.k8s.io", "pods.metrics.k8s.io", "ipaddresses.networking.k8s.io",
	"clustertrustbundles.certificates.k8s.io", // named after the authority's key
}

// end is what the hosts and the API hold, as lines, without what differs between
// two clusters of one inventory: keys, times, the lab's name and network.
func (c *cluster) end(t *testing.T) []string {
	t.Helper()
	var lines []string
	var mu sync.Mutex
	labkit.Each(c.hosts(), func(host string) {
		out, err := c.try(t.Context(), host, endOfHost)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		for line := range strings.Lines(out) {
			if line = c.endLine(t, strings.TrimSpace(line)); line != "" {
				lines = append(lines, host+" "+line)
			}
		}
	})
	if least := 100 * len(c.hosts()); len(lines) < least {
		t.Errorf("this cannot be all of the hosts: %d lines", len(lines))
	}
	lines = append(lines, c.endOfAPI(t)...)
	slices.Sort(lines)
	return lines
}

// endLine is a line of endOfHost as it is compared. A kubelet's own certificates
// are named after the time.
func (c *cluster) endLine(t *testing.T, line string) string {
	if slices.ContainsFunc(strings.Fields(line), hosttest.OfLock) { // of runs, not of the cluster
		return ""
	}
	if strings.Contains(line, "/var/lib/kubelet/pki/") {
		name, _, _ := strings.Cut(line, " -> ")
		if !strings.HasSuffix(name, "-current.pem") {
			return ""
		}
		return name
	}
	rest, ok := strings.CutPrefix(line, "content ")
	if !ok {
		return strings.TrimSuffix(line, " ->")
	}
	name, encoded, _ := strings.Cut(rest, " ")
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if name == "/etc/cni/net.d/calico-kubeconfig" { // a token that is renewed
		return ""
	}
	return "content " + name + " " + c.anywhere(fleettest.Essence(name, c.anywhere(string(content)))) // a certificate's is text
}

// anywhere is a text of the lab as any other lab would have it.
func (c *cluster) anywhere(text string) string {
	return strings.NewReplacer(c.Net+".", "10.94.N.", c.Name, "LAB").Replace(text)
}

func (c *cluster) endOfAPI(t *testing.T) []string {
	t.Helper()
	kinds := slices.DeleteFunc(strings.Fields(c.kubectl(t, "api-resources", "--verbs=list", "-o", "name")), func(kind string) bool {
		return slices.Contains(restless, kind) || slices.Contains(transient, kind)
	})
	var all struct{ Items []map[string]any }
	c.get(t, &all, "-A", strings.Join(kinds, ","))
	var lines []string
	for _, o := range all.Items {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var key object
		if err := json.Unmarshal([]byte(c.anywhere(string(text))), &o); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &key); err != nil {
			t.Fatal(err)
		}
		if line := endOfObject(key, o); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) < 100 {
		t.Errorf("this cannot be all of the API: %v", lines)
	}
	return lines
}

// endOfObject is an object as it is compared; "" is one that tests made, or one of
// which nobody says what it is to be.
func endOfObject(key object, o map[string]any) string {
	line := fmt.Sprintf("API %s %s/%s", key.Kind, key.Metadata.Namespace, key.Metadata.Name)
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for name := range annotations { // what controllers keep there, and the kubelet and Calico of their own
		if !strings.HasPrefix(name, "drover.io/") {
			delete(annotations, name)
		}
	}
	switch {
	case key.Metadata.Namespace == "default":
		return ""
	case key.Kind == "ConfigMap" && (key.Metadata.Name == "kube-root-ca.crt" || key.Metadata.Name == "extension-apiserver-authentication" || key.Metadata.Name == "kube-apiserver-legacy-service-account-token-tracking"):
		return line // authorities, and the time
	case key.Kind == "Node":
		spec, _ := o["spec"].(map[string]any)
		delete(spec, "taints") // its health is among them
	}
	return line + " " + fleettest.Said(o)
}

// expectEnd fails unless the cluster has come to this end.
func (c *cluster) expectEnd(t *testing.T, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, c.end(t)); diff != "" {
		t.Errorf("another end than that of an undisturbed run (-want +got):\n%s", diff)
	}
}
