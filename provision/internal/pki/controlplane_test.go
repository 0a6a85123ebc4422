package pki_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/pki"
	"sigs.k8s.io/yaml"
)

// TestControlPlane runs a real etcd, API server, controller manager and
// scheduler with the certificates made here and the flags and files that
// manifests renders, moved below a temporary directory and to free ports.
func TestControlPlane(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	p := newPlane(t)
	p.writePKI()
	p.etcd()

	api := manifests.APIServer{
		Address: p.host.Address, ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"), EtcdServers: []string{"https://127.0.0.2:2379"},
		// An API server does not tell others of a loopback address.
		Service: manifests.Service{ExtraArgs: map[string]string{"bind-address": "127.0.0.2", "advertise-address": "192.0.2.1"}},
	}
	ended := p.start("kube-apiserver", api, nil)
	p.await("the API server to be ready", func() (string, bool) {
		select {
		case <-ended:
			p.Fatal("the API server ended")
		default:
		}
		out, err := p.kubectl("admin", "", "get", "--raw", "/readyz")
		return out, err == nil && out == "ok"
	})
	p.start("kube-controller-manager", manifests.ControllerManager{ClusterName: "test", PodCIDR: netip.MustParsePrefix("10.100.0.0/16"),
		Service: manifests.Service{ExtraArgs: map[string]string{"secure-port": p.port(10257)}}}, nil)
	p.start("kube-scheduler", manifests.Scheduler{Service: manifests.Service{ExtraArgs: map[string]string{"secure-port": p.port(10259)}}}, nil)

	p.sub("anonymous", (*plane).anonymous)
	p.sub("objects", (*plane).objects)
	p.sub("identities", (*plane).identities)
	p.sub("leaders", (*plane).leaders)
	p.sub("pod security", (*plane).podSecurity)
	p.sub("encryption", (*plane).encryption)
	p.sub("audit", (*plane).audit)
}

// sub is a test of its own of the running plane.
func (p *plane) sub(name string, f func(*plane)) {
	p.Run(name, func(t *testing.T) {
		of := *p
		of.T = t
		f(&of)
	})
}

type plane struct {
	*testing.T
	dir   string
	ports map[int]string
	host  pki.Host
	cas   map[pki.CAName]pki.Authority
	out   map[string]*bytes.Buffer
}

func newPlane(t *testing.T) *plane {
	p := &plane{T: t, dir: t.TempDir(), ports: map[int]string{}, cas: map[pki.CAName]pki.Authority{}, out: map[string]*bytes.Buffer{},
		host: pki.Host{Name: "m1", Address: netip.MustParseAddr("127.0.0.2")}}
	for _, b := range []string{"etcd", "etcdctl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		p.binary(b)
	}
	return p
}

func (p *plane) binary(name string) string {
	p.Helper()
	cache, err := os.UserCacheDir()
	p.ok(err)
	for _, place := range []string{"etcd-*/bin", "kubernetes-*/files/dl.k8s.io/release/v*/bin/linux/*"} {
		if found, _ := filepath.Glob(filepath.Join(cache, "drover-lab/components", place, name)); len(found) > 0 {
			return found[0]
		}
	}
	p.Skipf("the lab has built no %s", name)
	return ""
}

func (p *plane) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// port is a free one in place of n. It is below those that the kernel hands out:
// one of them may be anybody's again as soon as it was closed here.
func (p *plane) port(n int) string {
	for try := 0; p.ports[n] == ""; try++ {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		l, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err != nil {
			if try == 100 {
				p.Fatalf("no free port: %v", err)
			}
			continue
		}
		p.ok(l.Close())
		if !slices.Contains(slices.Collect(maps.Values(p.ports)), port) {
			p.ports[n] = port
		}
	}
	return p.ports[n]
}

var portOf = regexp.MustCompile(`(:|secure-port=)(2379|2380|2381|6443)\b`)

// here moves what is rendered into the temporary directory.
func (p *plane) here(text string) string {
	for _, top := range []string{"/etc/", "/var/"} {
		text = regexp.MustCompile(`(^|[=\s"])`+top).ReplaceAllString(text, "${1}"+p.dir+top)
	}
	return portOf.ReplaceAllStringFunc(text, func(s string) string {
		m := portOf.FindStringSubmatch(s)
		var n int
		fmt.Sscan(m[2], &n)
		return m[1] + p.port(n)
	})
}

func (p *plane) write(path string, content []byte) {
	p.Helper()
	file := p.dir + path
	p.ok(os.MkdirAll(filepath.Dir(file), 0o700))
	p.ok(os.WriteFile(file, []byte(p.here(string(content))), 0o600))
}

func (p *plane) writePKI() {
	now := time.Now()
	for _, ca := range pki.CAs() {
		a, err := pki.NewCA(ca.CommonName, now, pki.CAValidity)
		p.ok(err)
		key, err := a.Key.PEM()
		p.ok(err)
		p.write(ca.Cert.Path, a.CertPEM())
		p.write(ca.Key.Path, key)
		p.cas[ca.Name] = a
	}
	sa, err := pki.NewKey()
	p.ok(err)
	private, err := sa.PEM()
	p.ok(err)
	public, err := sa.PublicPEM()
	p.ok(err)
	p.write(pki.ServiceAccountKey().Path, private)
	p.write(pki.ServiceAccountPub().Path, public)
	encryption, err := pki.NewEncryptionKey()
	p.ok(err)
	config, err := pki.EncryptionConfig(encryption)
	p.ok(err)
	p.write(pki.EncryptionFile().Path, config)
	for _, c := range pki.MasterCertificates(pki.Cluster{ServiceIP: netip.MustParseAddr("10.101.0.1")}, p.host) {
		cert, key, err := p.cas[c.CA].Issue(c.Leaf, now)
		p.ok(err)
		p.write(c.Cert.Path, cert)
		p.write(c.Key.Path, key)
	}
	for path, c := range map[string][2]string{
		manifests.ControllerManagerKubeconfig: {"system:kube-controller-manager", "controller-manager"},
		manifests.SchedulerKubeconfig:         {"system:kube-scheduler", "scheduler"},
		manifests.KubeProxyKubeconfig:         {"system:kube-proxy", "kube-proxy"},
	} {
		file, err := pki.Kubeconfig{Cluster: "test", Server: "https://127.0.0.2:6443", User: c[0], CAFile: pki.Dir + "/ca.crt",
			CertFile: pki.Dir + "/" + c[1] + ".crt", KeyFile: pki.Dir + "/" + c[1] + ".key"}.File()
		p.ok(err)
		p.write(path, file)
	}
	for name, leaf := range map[string]pki.Leaf{"admin": pki.AdminLeaf(), "operator": pki.OperatorLeaf("someone")} {
		cert, key, err := p.cas[pki.ClusterCA].Issue(leaf, now)
		p.ok(err)
		file, err := pki.Kubeconfig{Cluster: "test", Server: "https://127.0.0.2:6443", User: name, CA: p.cas[pki.ClusterCA].CertPEM(), Cert: cert, Key: key}.File()
		p.ok(err)
		p.write("/etc/kubernetes/"+name+".conf", file)
	}
}

// etcd starts only when it is told how: see manifests.EtcdJoin.
func (p *plane) etcd() {
	member := manifests.Etcd{Name: p.host.Name, Address: p.host.Address}
	join := manifests.EtcdJoin{New: true, Token: "uid", Members: map[string]netip.Addr{p.host.Name: p.host.Address}}
	file, err := join.File()
	p.ok(err)
	env := strings.Fields(p.here(string(file.Content)))

	wait := p.start("etcd", member, []string{"ETCD_INITIAL_CLUSTER_STATE=existing"})
	select {
	case <-wait:
	case <-time.After(30 * time.Second):
		p.Fatalf("etcd without data and without a join did not give up:\n%s", p.out["etcd"])
	}
	if _, err := os.Stat(p.dir + "/var/lib/etcd/member/wal"); err == nil {
		p.Fatal("etcd without a join began a cluster of its own")
	}
	p.start("etcd", member, env)
	p.await("etcd to be healthy", func() (string, bool) {
		out, err := p.etcdctl("endpoint", "health")
		return out, err == nil
	})
}

func (p *plane) etcdctl(args ...string) (string, error) {
	pkiDir := p.dir + pki.Dir + "/etcd/"
	return p.run(exec.Command(p.binary("etcdctl"), append([]string{"--endpoints=https://127.0.0.2:" + p.port(2379),
		"--cacert=" + pkiDir + "ca.crt", "--cert=" + pkiDir + "healthcheck-client.crt", "--key=" + pkiDir + "healthcheck-client.key"}, args...)...), "")
}

func (p *plane) kubectl(who, stdin string, args ...string) (string, error) {
	return p.run(exec.Command(p.binary("kubectl"), append([]string{"--kubeconfig=" + p.dir + "/etc/kubernetes/" + who + ".conf", "--cache-dir=" + p.dir + "/cache"}, args...)...), stdin)
}

func (p *plane) run(c *exec.Cmd, stdin string) (string, error) {
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

var continued = regexp.MustCompile(`\\\n\s*`)

// start runs a component as its unit would; the channel closes when it ends.
func (p *plane) start(name string, c interface {
	Files() ([]manifests.File, error)
}, env []string) <-chan struct{} {
	p.Helper()
	files, err := c.Files()
	p.ok(err)
	for _, f := range files[1:] {
		p.write(f.Path, f.Content)
	}
	var argv []string
	for line := range strings.Lines(continued.ReplaceAllString(p.here(string(files[0].Content)), " ")) {
		if words, ok := strings.CutPrefix(line, "ExecStart="); ok {
			argv = strings.Fields(words)[1:]
		}
	}
	p.ok(os.MkdirAll(p.dir+filepath.Dir(manifests.AuditLogPath), 0o700))
	cmd := exec.Command(p.binary(name), argv...)
	out := &bytes.Buffer{}
	p.out[name] = out
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, p.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.ok(cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if p.Failed() {
			p.Logf("%s ended with:\n%s", name, last(out.String(), 30))
		}
	})
	return ended
}

func last(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// await asks until it is so.
func (p *plane) await(what string, is func() (string, bool)) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for {
		said, yes := is()
		if yes {
			return
		}
		select {
		case <-ctx.Done():
			p.Fatalf("waited for %s; last: %s", what, said)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (p *plane) anonymous() {
	roots := x509.NewCertPool()
	roots.AddCert(p.cas[pki.ClusterCA].Cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/readyz": 200, "/livez": 200, "/healthz": 200, "/version": 401, "/api": 401, "/metrics": 401} {
		r, err := client.Get("https://127.0.0.2:" + p.port(6443) + path)
		p.ok(err)
		p.ok(r.Body.Close())
		if r.StatusCode != want {
			p.Errorf("%s answers %s, want %d", path, r.Status, want)
		}
	}
}

func (p *plane) objects() {
	coredns := manifests.CoreDNS{Image: "registry.k8s.io/coredns/coredns:v1.14.7", Address: netip.MustParseAddr("10.101.0.10")}
	for name, get := range map[string]func() ([]manifests.Object, error){"RBAC": manifests.RBAC, "namespaces": manifests.Namespaces, "CoreDNS": coredns.Objects} {
		os, err := get()
		p.ok(err)
		for _, o := range os {
			text, err := yaml.Marshal(o)
			p.ok(err)
			if out, err := p.kubectl("admin", string(text), "apply", "--server-side", "--validate=strict", "-f", "-"); err != nil {
				p.Errorf("%s: %s", name, out)
			}
		}
	}
}

func (p *plane) identities() {
	for _, c := range []struct{ who, verb, what, want string }{
		{"operator", "*", "*", "yes"},
		{"kube-proxy", "list", "endpointslices.discovery.k8s.io", "yes"},
		{"kube-proxy", "list", "secrets", "no"},
		{"scheduler", "list", "pods", "yes"},
		{"controller-manager", "list", "secrets", "yes"},
	} {
		p.await(c.who+" to be allowed or not", func() (string, bool) {
			out, _ := p.kubectl(c.who, "", "auth", "can-i", c.verb, c.what, "-A")
			return out, strings.HasSuffix(out, c.want)
		})
	}
	for _, c := range []struct{ group, verb, what, want string }{
		{manifests.GroupBootstrappers, "create", "certificatesigningrequests", "yes"},
		{manifests.GroupKubeletAPIAdmins, "get", "nodes/proxy", "yes"},
		{manifests.GroupKubeletAPIAdmins, "list", "secrets", "no"},
	} {
		out, _ := p.kubectl("admin", "", "auth", "can-i", c.verb, c.what, "-A", "--as=x", "--as-group="+c.group)
		if !strings.HasSuffix(out, c.want) {
			p.Errorf("%+v: %s", c, out)
		}
	}
}

func (p *plane) leaders() {
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		p.await(name+" to lead", func() (string, bool) {
			out, err := p.kubectl("admin", "", "-n", "kube-system", "get", "lease", name, "-o", "jsonpath={.spec.holderIdentity}")
			return out, err == nil && out != ""
		})
	}
}

const privileged = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","securityContext":{"privileged":true}}]}}`

func (p *plane) podSecurity() {
	for namespace, want := range map[string]string{"default": `violates PodSecurity "baseline:latest"`, "kube-system": "pod/p created"} {
		p.await("a privileged pod in "+namespace, func() (string, bool) { // needs its service account first
			out, _ := p.kubectl("admin", privileged, "-n", namespace, "create", "--dry-run=server", "-f", "-")
			return out, strings.Contains(out, want)
		})
	}
}

func (p *plane) encryption() {
	if out, err := p.kubectl("admin", "", "create", "secret", "generic", "s", "--from-literal=k=visible"); err != nil {
		p.Fatal(out)
	}
	out, err := p.etcdctl("get", "/registry/secrets/default/s", "--print-value-only")
	if err != nil || !strings.HasPrefix(out, "k8s:enc:secretbox:v1:key1:") || strings.Contains(out, "visible") {
		p.Errorf("in etcd: %q, %v", out, err)
	}
}

func (p *plane) audit() {
	log, err := os.ReadFile(p.dir + manifests.AuditLogPath)
	p.ok(err)
	if !bytes.Contains(log, []byte(`"resource":"secrets"`)) || bytes.Contains(log, []byte("visible")) {
		p.Errorf("no word of the secret's making, or its content: %s", last(string(log), 3))
	}
	if bytes.Contains(log, []byte(`"resource":"leases"`)) {
		p.Error("leases are in it")
	}
}
