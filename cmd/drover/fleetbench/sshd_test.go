package fleetbench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
)

// sshds are real sshds on loopback, each address a host to drover. All of them are
// this machine, which is only looked at.
type sshds struct {
	dir     string
	ports   []int
	daemons []*exec.Cmd
	known   string // known_hosts' key
	fleet   *fleettest.Fleet
}

// systemctl stands in for one that has a systemd to ask: none of drover's units is
// there.
const systemctl = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
for u; do printf 'Id=%s\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no\nFragmentPath=\n\n' "$u"; done
`

// startSSHDs starts as many daemons as that many ports take: one listens on 16 at
// most.
func startSSHDs(b *testing.B, hosts int) *sshds {
	b.Helper()
	if os.Getuid() != 0 {
		b.Skip("needs root, to log in as root")
	}
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		b.Skip("needs sshd: apt-get install openssh-server")
	}
	s := &sshds{dir: b.TempDir(), fleet: fleettest.New(b, drover, fleettest.Config{Masters: 1})}
	s.write(b, "bin/systemctl", systemctl, 0o755)
	public, err := exec.Command("ssh-keygen", "-y", "-f", s.fleet.KeyFile).Output()
	if err != nil {
		b.Fatal(err)
	}
	s.write(b, "authorized_keys", string(public), 0o600)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, "host_key")).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	key, err := os.ReadFile(filepath.Join(s.dir, "host_key.pub"))
	if err != nil {
		b.Fatal(err)
	}
	s.known = strings.Join(strings.Fields(string(key))[:2], " ")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		b.Fatal(err)
	}
	const most = 13
	for n := 0; n < hosts; n += most {
		s.start(b, n/most, min(most, hosts-n))
	}
	s.describe(b)
	return s
}

func (s *sshds) write(b *testing.B, name, content string, mode os.FileMode) {
	b.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		b.Fatal(err)
	}
}

// start starts one. Whoever logs in has a home without anything in it: what a shell
// is told to do there when it starts, by every command of everybody's, is not what is
// to be measured.
func (s *sshds) start(b *testing.B, n, listens int) {
	b.Helper()
	var conf strings.Builder
	fmt.Fprintf(&conf, "HostKey %[1]s/host_key\nAuthorizedKeysFile %[1]s/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\nMaxStartups 1000\nPermitRootLogin prohibit-password\nSetEnv PATH=%[1]s/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=%[1]s\n", s.dir)
	var ports []int
	for range listens {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		fmt.Fprintf(&conf, "ListenAddress 127.0.0.1:%d\n", ports[len(ports)-1])
		l.Close()
	}
	name := fmt.Sprintf("sshd_config.%d", n)
	s.write(b, name, conf.String(), 0o600)
	d := exec.Command("/usr/sbin/sshd", "-D", "-f", filepath.Join(s.dir, name))
	if err := d.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = d.Process.Kill()
		_ = d.Wait()
	})
	for _, p := range ports {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(end) {
				b.Fatal(err)
			}
		}
	}
	s.ports, s.daemons = append(s.ports, ports...), append(s.daemons, d)
}

// describe writes the inventory: the fleet's, with these hosts in place of its own.
func (s *sshds) describe(b *testing.B) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(s.fleet.Dir, "inventory.hcl"))
	if err != nil {
		b.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "kube_master \"kube-master-1\" {")
	head = strings.ReplaceAll(head, `"known_hosts"`, `"sshd_known_hosts"`)
	var hcl, known strings.Builder
	for n, port := range s.ports {
		kind, name := "kube_node", fmt.Sprintf("kube-node-%d", n)
		if n == 0 {
			kind, name = "kube_master", "kube-master-1"
		}
		fmt.Fprintf(&hcl, "%s %q {\n  address = \"10.64.9.%d\"\n  ssh { port = %d }\n}\n", kind, name, n+1, port)
		fmt.Fprintf(&known, "[127.0.0.1]:%d %s\n", port, s.known)
	}
	for name, content := range map[string]string{"inventory.hcl": head + hcl.String(), "sshd_known_hosts": known.String()} {
		if err := os.WriteFile(filepath.Join(s.fleet.Dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

func (s *sshds) floor(b *testing.B) *exec.Cmd {
	var list strings.Builder
	for _, p := range s.ports {
		fmt.Fprintf(&list, "127.0.0.1:%d %s\n", p, s.known)
	}
	return floorOn(b, s.fleet.KeyFile, list.String(), "true")
}

// cpu is what the daemons' ended children took so far: each connection is one.
func (s *sshds) cpu(b *testing.B) time.Duration {
	b.Helper()
	ticks := 0
	for _, d := range s.daemons {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.Process.Pid))
		if err != nil {
			b.Fatal(err)
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		for _, f := range strings.Fields(after)[13:15] { // cutime, cstime
			n, err := strconv.Atoi(f)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// count adds what the daemons take until it is ended.
func (s *sshds) count(b *testing.B, sum *time.Duration) (end func()) {
	before := s.cpu(b)
	return func() {
		time.Sleep(100 * time.Millisecond) // for the last of them to be waited for
		*sum += s.cpu(b) - before
	}
}

// BenchmarkRealSSHD is a plan of 50 hosts behind real sshds. They are bare, so there
// is all to do; what it takes to look is the same.
func BenchmarkRealSSHD(b *testing.B) {
	s := startSSHDs(b, 50)
	const changes = 2
	for range b.N {
		var least, most time.Duration // of CPU, all three times
		bare, plan := besides(
			func() took {
				defer s.count(b, &least)()
				return must(b, measured(b, s.floor(b), "floor"), 0)
			},
			func() took {
				defer s.count(b, &most)()
				return must(b, measured(b, s.fleet.Command(drover, "plan"), ""), changes)
			})
		target := func(all time.Duration) float64 { return all.Seconds() * 1000 / 3 / float64(len(s.ports)) }
		b.Logf("floor %s, %.0f ms of CPU a target; plan %s", bare, target(least), plan)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(plan.Wall.Seconds(), "s")
		b.ReportMetric(float64(plan.CPU.Milliseconds())/float64(len(s.ports)), "ms-CPU/host")
		b.ReportMetric(target(most), "ms-CPU/target")
		figure(b, plan.Wall.Seconds()/bare.Wall.Seconds(), "x-floor", 2)
		// 60 ms where the floor is 24, as on a machine that does nothing else.
		figure(b, most.Seconds()/least.Seconds(), "x-floor-CPU/target", 2.5)
		figure(b, float64(plan.Peak>>20), "MB", 64)
	}
}

// BenchmarkAnsible is the same look at ten hosts beside Ansible, which gathers its
// facts, holds 20 files to their content and makes five checks there, all of it as
// wanted already, with pipelining.
func BenchmarkAnsible(b *testing.B) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		b.Skip("needs ansible-playbook: apt-get install ansible-core")
	}
	s := startSSHDs(b, 10)
	s.playbook(b)
	play := func() took {
		c := exec.Command("ansible-playbook", "-i", filepath.Join(s.dir, "hosts"), filepath.Join(s.dir, "play.yml"))
		c.Dir = s.dir
		c.Env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "ANSIBLE_PIPELINING=1", "ANSIBLE_HOST_KEY_CHECKING=0", "ANSIBLE_FORKS=10", "LC_ALL=C.UTF-8"}
		return must(b, measured(b, c, ""), 0)
	}
	play() // makes it as wanted
	b.ResetTimer()
	for range b.N {
		theirs := play()
		if changed := regexp.MustCompile(`changed=[1-9]`).FindString(theirs.Out); changed != "" {
			b.Fatalf("it is no re-run: %s", changed)
		}
		ours := quickest(func() took { return must(b, measured(b, s.fleet.Command(drover, "plan"), ""), 2) })
		b.Logf("Ansible %s; drover %s", theirs, ours)
		b.ReportMetric(0, "ns/op")
		faster := theirs.Wall.Seconds() / ours.Wall.Seconds()
		b.ReportMetric(faster, "x-faster")
		if faster < 100 {
			b.Errorf("%.0f times as fast as Ansible: less than 100", faster)
		}
		b.ReportMetric(theirs.Wall.Seconds(), "s-Ansible")
		b.ReportMetric(ours.Wall.Seconds(), "s")
	}
}

func (s *sshds) playbook(b *testing.B) {
	b.Helper()
	var hosts, play strings.Builder
	for n, p := range s.ports {
		fmt.Fprintf(&hosts, "h%d ansible_host=127.0.0.1 ansible_port=%d ansible_user=root ansible_ssh_private_key_file=%s ansible_python_interpreter=/usr/bin/python3 dir=%s/h%[1]d\n", n, p, s.fleet.KeyFile, s.dir)
	}
	play.WriteString("- hosts: all\n  gather_facts: true\n  tasks:\n")
	for n := range s.ports {
		s.write(b, fmt.Sprintf("h%d/.keep", n), "", 0o644)
	}
	for n := range 20 {
		if n%2 == 0 {
			fmt.Fprintf(&play, "  - copy: {content: \"file %d\\n\", dest: \"{{ dir }}/%[1]d\", mode: '0644'}\n", n)
			continue
		}
		s.write(b, fmt.Sprintf("t%d.j2", n), "host {{ inventory_hostname }}\n", 0o644)
		fmt.Fprintf(&play, "  - template: {src: \"%s/t%d.j2\", dest: \"{{ dir }}/%[2]d\", mode: '0644'}\n", s.dir, n)
	}
	for n := range 2 {
		fmt.Fprintf(&play, "  - stat: {path: \"{{ dir }}/%d\"}\n", n)
	}
	for range 3 {
		play.WriteString("  - command: cat /proc/sys/net/ipv4/ip_forward\n    changed_when: false\n")
	}
	s.write(b, "hosts", hosts.String(), 0o600)
	s.write(b, "play.yml", play.String(), 0o644)
}
