package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
	"text/tabwriter"
	"text/template"
	"time"
)

// BenchmarkKubeadm makes a small cluster as drover does and by hand with kubeadm,
// one after the other on new machines of the same lab, and tells the ratio of the
// two. The setting favours kubeadm: its machines have every program and image before
// the clock starts, where drover's fetch them while it runs, and it comes second,
// when all that it reads is in memory.
func BenchmarkKubeadm(b *testing.B) {
	suite.Need(b)
	c := &cluster{lab: kubeadmLab, shape: shape{Masters: 1, Nodes: 1, Routers: 1}}
	b.Cleanup(func() { c.Run(b, "down") })
	images := filepath.Join(b.TempDir(), "images.tar")
	kubeadmImages(b, images)
	var drover, kubeadm time.Duration
	for b.Loop() {
		c.Must(b, "down")
		c.up(b)
		s := watchBootstrap(b, c.path())
		c.Must(b, "down")
		c.up(b)
		c.prepare(b, images)
		k := c.byHand(b)
		fmt.Printf("\n1 master, 1 node by hand with kubeadm, programs and images in place: %s\n%s", k.took().Round(100*time.Millisecond), k.table())
		fmt.Printf("drover, from bare machines: %s, %.2f times as long\n", s.took.Round(100*time.Millisecond), s.took.Seconds()/k.took().Seconds())
		drover += s.took
		kubeadm += k.took()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(drover.Seconds()/float64(b.N), "drover-s")
	b.ReportMetric(kubeadm.Seconds()/float64(b.N), "kubeadm-s")
	b.ReportMetric(drover.Seconds()/kubeadm.Seconds(), "ratio")
}

// laps are steps that were done one after the other.
type laps struct {
	began time.Time
	steps []lap
}

type lap struct {
	name string
	end  time.Duration
}

// done ends the step that was at work.
func (l *laps) done(name string) { l.steps = append(l.steps, lap{name, time.Since(l.began)}) }

func (l *laps) took() time.Duration { return l.steps[len(l.steps)-1].end }

func (l *laps) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "phase\tfrom s\tto s\tin all s\t")
	var from time.Duration
	for _, s := range l.steps {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t\n", s.name, from.Seconds(), s.end.Seconds(), (s.end - from).Seconds())
		from = s.end
	}
	w.Flush()
	return text.String()
}

// prepareTemplate puts all in place that the kubeadm way asks for, up to a running
// containerd. The units are those of upstream's packages; the settings of
// containerd are the lab's, as in its inventory.
var prepareTemplate = template.Must(template.New("prepare").Parse(`set -eu
get() { curl --fail --silent --show-error "http://{{.net}}.252/$1"; }
mkdir -p /opt/cni/bin /etc/containerd /etc/systemd/system/kubelet.service.d
get {{.containerd}} | tar -xz -C /usr/local
get {{index . "cni-plugins"}} | tar -xz -C /opt/cni/bin
get {{.runc}} >/usr/local/sbin/runc
get {{.kubelet}} >/usr/bin/kubelet
get {{.kubeadm}} >/usr/bin/kubeadm
chmod 0755 /usr/local/sbin/runc /usr/bin/kubelet /usr/bin/kubeadm
cat >/etc/containerd/config.toml <<'END'
version = 3
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
END
cat >/etc/systemd/system/containerd.service <<'END'
[Unit]
After=network.target
[Service]
Type=notify
ExecStart=/usr/local/bin/containerd
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/kubelet.service <<'END'
[Unit]
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
END
sysctl -q -w net.ipv4.ip_forward=1 fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288
systemctl daemon-reload
systemctl enable --quiet --now containerd
systemctl enable --quiet kubelet
`))

// prepare makes the hosts ready for kubeadm; images is an archive for containerd.
func (c *cluster) prepare(t testing.TB, images string) {
	t.Helper()
	values := map[string]string{"net": c.Net}
	for _, name := range []string{"containerd", "cni-plugins", "runc", "kubelet", "kubeadm"} {
		values[name] = oneLab.Components(t).Artifact(t, name).Path
	}
	var script strings.Builder
	if err := prepareTemplate.Execute(&script, values); err != nil {
		t.Fatal(err)
	}
	labkit.Each(c.hosts(), func(host string) {
		if _, err := c.try(t.Context(), host, script.String()); err != nil {
			t.Error(err)
			return
		}
		if err := c.importImages(t.Context(), host, images); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}

func (c *cluster) importImages(ctx context.Context, host, images string) error {
	archive, err := os.Open(images)
	if err != nil {
		return err
	}
	defer archive.Close()
	cmd := exec.CommandContext(ctx, os.Getenv("DROVER_LAB"), c.Flags("ssh", host, "sudo ctr --namespace k8s.io images import -")...)
	cmd.Stdin = archive
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("images of %s: %w: %s", host, err, out)
	}
	return nil
}

// kubeadmConfig says of the cluster what the inventory says to drover; the tags
// are those of the images that there are.
var kubeadmConfig = template.Must(template.New("kubeadm").Parse(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: {{.Address}}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{{.Kubernetes}}
networking: {podSubnet: ` + podCIDR + `, serviceSubnet: ` + serviceCIDR + `}
etcd: {local: {imageTag: {{.Etcd}}}}
dns: {imageTag: {{.CoreDNS}}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
`))

// unverified lets kubeadm work on machines with control groups of version 1, which
// the kubelet's own setting does not.
const unverified = " --ignore-preflight-errors=SystemVerification"

// joinCommand is what kubeadm init prints for nodes.
var joinCommand = regexp.MustCompile(`kubeadm join (?s:[^#]*?)sha256:[0-9a-f]{64}`)

// byHand makes a cluster of prepared machines, the way kubeadm's and Calico's
// instructions say.
func (c *cluster) byHand(t testing.TB) *laps {
	t.Helper()
	master := c.masters()[0]
	var config strings.Builder
	err := kubeadmConfig.Execute(&config, map[string]string{
		"Address": c.address(master), "Kubernetes": oneLab.Components(t).Artifact(t, "kubeadm").Version,
		"Etcd": tag(etcdImage(t)), "CoreDNS": tag(oneLab.Components(t).Image(t, "registry.k8s.io/coredns/coredns").Name),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.ssh(t, master, "cat >/root/kubeadm.yaml <<'END'\n"+config.String()+"END")
	calico := calicoWithoutTunnels(t)

	l := &laps{began: time.Now()}
	out := c.ssh(t, master, "kubeadm init --config /root/kubeadm.yaml"+unverified)
	admin := c.ssh(t, master, "cat /etc/kubernetes/admin.conf")
	if err := os.WriteFile(c.kubeconfig(), []byte(admin), 0o600); err != nil {
		t.Fatal(err)
	}
	l.done("kubeadm init")
	c.kubectl(t, "apply", "-f", calico)
	l.done("Calico's manifest")
	join := joinCommand.FindString(out)
	if join == "" {
		t.Fatalf("kubeadm init printed no command to join with: %s", out)
	}
	for _, node := range c.nodes() {
		c.ssh(t, node, join+unverified)
	}
	l.done("kubeadm join")
	c.waitReady(t)
	l.done("waiting")
	return l
}

// waitReady waits until all nodes and all that runs in kube-system are ready.
// kubectl waits by itself: asking again and again would take the cluster's time.
func (c *cluster) waitReady(t testing.TB) {
	t.Helper()
	for _, args := range []string{
		"wait --for=condition=Ready nodes --all",
		"rollout status daemonset/calico-node",
		"rollout status daemonset/kube-proxy",
		"rollout status deployment/calico-kube-controllers",
		"rollout status deployment/coredns",
		"wait --for=condition=Ready pods --all",
	} {
		r := c.tryKubectl(t, "", append(strings.Fields(args), "--namespace=kube-system", "--timeout=5m", "--request-timeout=0")...)
		if r.Code != 0 {
			t.Fatalf("%s\n%s", r, c.kubectl(t, "get", "nodes,pods", "--all-namespaces", "--output=wide"))
		}
	}
}
