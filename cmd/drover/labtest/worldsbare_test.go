package labtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// bareWorlds are those in which nothing is touched: what is wrong can be known
// before. They begin and end with bare machines.
func bareWorlds() map[string]world {
	const master, node = "kube-master-1", "kube-node-1"
	return map[string]world{
		"a host that is unreachable": {
			inventory: func(_ *testing.T, c *cluster, s *shape) { s.At = map[string]string{master: c.Net + ".99"} },
			codes:     map[string]int{"preflight": 69, "apply": 69},
			says:      []string{master + ": unreachable while connecting to ", "fix: is the machine on, and is this its address?"},
		},
		"a wrong key": {
			inventory: func(t *testing.T, _ *cluster, s *shape) { s.Identity = newKey(t, "stranger") },
			codes:     map[string]int{"preflight": 77, "apply": 77},
			says:      []string{master + ": user ops is not let in", node + ": user ops is not let in", "fix: `ssh -p 22 ops@"},
		},
		"a wrong host key": {
			inventory: func(t *testing.T, c *cluster, s *shape) { s.KnownHosts = c.strangersKey(t, master) },
			codes:     map[string]int{"preflight": 77, "apply": 77},
			says:      []string{master + ": its host key has CHANGED: known is ssh-ed25519 SHA256:", "fix: if the machine was not reinstalled, somebody may be listening in: stop here."},
		},
		"sudo that refuses": {
			spoil: on(master, "echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops"),
			mend:  on(master, "echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops"),
			codes: map[string]int{"preflight": 77, "apply": 77},
			says:  []string{master + ": sudo refuses ops without a password", "fix: give drover the sudo password, or allow ops NOPASSWD: ALL"},
		},
		"a full disk at /opt": {
			spoil: on(node, "mount -t tmpfs -o size=100m none /opt"),
			mend:  on(node, "umount /opt"),
			codes: refused(),
			says:  found("disk-free", node, "100.0 MiB is free on the file system at /opt; what goes into /opt needs 1.5 GiB", "make room there"),
		},
		"a port that is taken": {
			spoil: on(master, "systemd-run --quiet --unit=labtest-squatter socat TCP-LISTEN:6443,reuseaddr,fork /dev/null; "+listening(6443)),
			mend:  on(master, "systemctl stop labtest-squatter"),
			codes: refused(),
			says:  found("port-taken", master, "port 6443, for the API server, is taken: socat (pid ", "have it listen on another port, or stop it (`systemctl disable --now labtest-squatter.service`)"),
		},
		"a machine-id that two have": {
			spoil: func(t *testing.T, c *cluster) {
				c.root(t, node, "cp -p /etc/machine-id /etc/machine-id.own; echo "+c.root(t, master, "cat /etc/machine-id")+" > /etc/machine-id")
			},
			mend:  on(node, "mv /etc/machine-id.own /etc/machine-id"),
			codes: refused(),
			says:  found("machine-id-twice", node, "is also that of "+master, "check that both addresses in the inventory are right"),
		},
		// The machines share one kernel and its clock: what is 5 minutes ahead is the
		// host's date, the only thing that drover asks for the time.
		"a clock that is 5 minutes off": {
			spoil: on(node, `printf '#!/bin/dash\nexec /usr/bin/date -d "+5 minutes" "$@"\n' > /usr/local/bin/date; chmod 755 /usr/local/bin/date`),
			mend:  on(node, "rm /usr/local/bin/date"),
			codes: refused(),
			says:  found("clock-offset", node, "ahead of the one here", "have it keep the time"),
		},
		"a network that overlaps the pods'": {
			spoil: on(node, "ip link add br-old type bridge; ip addr add 10.100.7.1/24 dev br-old; ip link set br-old up"),
			mend:  on(node, "ip link del br-old"),
			codes: refused(),
			says:  found("network-overlap", node, "it has the network 10.100.7.0/24 (on br-old), which overlaps pod_cidr 10.100.0.0/16", "choose a pod_cidr that nothing there uses"),
		},
		"somebody else's kubelet": {
			spoil: on(node, "printf '[Service]\\nExecStart=/usr/bin/socat TCP-LISTEN:10250,reuseaddr,fork /dev/null\\n' > /etc/systemd/system/kubelet.service; systemctl daemon-reload; systemctl start kubelet; "+listening(10250)),
			mend:  on(node, "systemctl stop kubelet; rm /etc/systemd/system/kubelet.service; systemctl daemon-reload"),
			codes: refused(),
			says:  found("foreign-kubelet", node, "a kubelet that drover did not make is there: kubelet.service is active", "is it the machine you mean?"),
		},
		"a host of another cluster": {
			spoil: on(node, "mkdir -p /var/lib/drover; printf 'cluster=dt-other\\nuid=0123\\nhost=kube-node-1\\n' > /var/lib/drover/cluster.drover"),
			mend:  on(node, "rm -r /var/lib/drover"),
			codes: map[string]int{"preflight": 1, "plan": 65, "apply": 65},
			says:  []string{`belongs to the cluster "dt-other", not to "dt-worlds"`, node, "fix: check the host's address; to take it over, run `drover reset` there"},
		},
		"a system that is unproven": {
			spoil:   on(node, `sed 's/^VERSION_ID=.*/VERSION_ID="13"/; s/^PRETTY_NAME=.*/PRETTY_NAME="Debian 13"/' /usr/lib/os-release > /etc/os-release.new; mv -fT /etc/os-release.new /etc/os-release`),
			codes:   refused(),
			says:    found("os-unproven", node, "it runs Debian 13, and drover was shown to work on Debian 12 only", "use Debian 12; or try it on a machine that may break, and waive os-unproven"),
			instead: func(s *shape) { s.Waive = map[string]string{"os-unproven": "a machine that may break"} },
			clear:   on(node, "ln -sfn ../usr/lib/os-release /etc/os-release"),
		},
		"an /etc that is read-only": {
			spoil: on(node, "mount --bind /etc /etc; mount -o remount,bind,ro /etc"),
			mend:  on(node, "umount -l /etc"),
			codes: refused(),
			says:  found("read-only", node, "/etc, /etc/systemd/system cannot be written to, not even by root", "look at how it is mounted"),
		},
		// What installs them is the apply that begins the cluster.
		"no haproxy and no conntrack": {
			inventory: func(_ *testing.T, _ *cluster, s *shape) { s.Install = false },
			codes:     refused(),
			says: append(found("package-missing", node, "it lacks the package haproxy", "`apt-get install haproxy` there; or allow drover to: packages { install = true }"),
				"WARN    package-missing  "+node, "it lacks the package conntrack"),
		},
	}
}

// listening waits until somebody listens on a port.
func listening(port int) string {
	return fmt.Sprintf("for i in $(seq 100); do ss -Hltn 'sport = :%d' | grep -q . && exit 0; sleep 0.1; done; exit 1", port)
}

// newKey makes a key pair that nobody knows.
func newKey(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if r := labkit.Run(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path); r.Code != 0 {
		t.Fatal(r)
	}
	return path
}

// strangersKey is a list of known hosts in which a machine's key is another.
func (c *cluster) strangersKey(t *testing.T, machine string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(stateDir, c.Name, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(newKey(t, "host") + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if names, _, _ := strings.Cut(line, " "); strings.HasPrefix(names, machine+",") {
			line = names + " " + string(key)
		}
		lines = append(lines, line)
	}
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
