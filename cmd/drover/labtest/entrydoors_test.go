package labtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// doors are other ways into a cluster's machines than the lab's own: an sshd besides
// theirs, on a port of its own, that has host keys with certificates and lets one
// encrypted key in, which an agent holds; and on hosts a sudo that asks for a password.
type doors struct {
	*cluster
	dir      string            // keys and settings
	agent    string            // its socket
	ca       string            // the authority's public key
	hostKeys map[string]string // public, by machine
}

const (
	doorPort     = 2222
	sudoPassword = "sudo's s3cret"
	keyPhrase    = "open sesame"
)

func (d *doors) machines() []string { return append(d.hosts(), d.routers()...) }

func (d *doors) path(name string) string { return filepath.Join(d.dir, name) }

// openDoors makes them until the test ends.
func openDoors(t *testing.T, c *cluster) *doors {
	t.Helper()
	d := &doors{cluster: c, dir: filepath.Join(labkit.WorkDir(), "doors"), hostKeys: map[string]string{}}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	own := d.keygen(t, "id", keyPhrase)
	d.ca = d.keygen(t, "ca", "")
	d.runAgent(t)
	for _, m := range d.machines() {
		t.Cleanup(func() { d.root(t, m, shutDoor) })
		d.hostKeys[m] = d.root(t, m, fmt.Sprintf(makeDoor, own, doorPort))
		d.write(t, m+".pub", d.hostKeys[m])
		d.must(t, "ssh-keygen", "-q", "-s", d.path("ca"), "-I", m, "-h", "-n", m+","+d.address(m), "-V", "-1h:+1d", d.path(m+".pub"))
		cert, err := os.ReadFile(d.path(m + "-cert.pub"))
		if err != nil {
			t.Fatal(err)
		}
		d.root(t, m, fmt.Sprintf(openDoor, strings.TrimSpace(string(cert))))
	}
	d.write(t, "sudo.secret", sudoPassword)
	d.write(t, "known_hosts", d.knownHosts(d.machines()...))
	d.write(t, "ssh_config", d.config("known_hosts"))
	for _, h := range d.hosts() {
		d.root(t, h, fmt.Sprintf(lockSudo, quote("ops:"+sudoPassword)))
		// What ssh says of the same way, and that there is no other to be root.
		r := labkit.Run(t, "", "ssh", "-F", d.path("ssh_config"), h, "sudo -n true")
		if r.Code != 1 || !strings.Contains(r.Stderr, "a password is required") {
			t.Fatalf("sudo was to want a password: %s", r)
		}
	}
	return d
}

const (
	makeDoor = `set -e; mkdir /run/doors; cd /run/doors
ssh-keygen -q -t ed25519 -N "" -f key
echo %q > authorized_keys
cat > config <<E
Port %d
HostKey /run/doors/key
HostCertificate /run/doors/key-cert.pub
AuthorizedKeysFile /run/doors/authorized_keys
PasswordAuthentication no
UsePAM yes
LogLevel DEBUG
PidFile none
Subsystem sftp internal-sftp
E
cat key.pub`
	openDoor = `set -e; cd /run/doors
echo %q > key-cert.pub
systemd-run -q --unit=doors /usr/sbin/sshd -D -E /run/doors/log -f /run/doors/config
for i in $(seq 100); do grep -qs "Server listening" log && exit 0; sleep 0.1; done; cat log; exit 1`
	lockSudo = `set -e; cd /run/doors
cp -p /etc/shadow shadow
echo %s | chpasswd
mv /etc/sudoers.d/ops sudoers`
	shutDoor = `systemctl stop doors; cd /run/doors && {
[ ! -e sudoers ] || mv sudoers /etc/sudoers.d/ops
[ ! -e shadow ] || cp -p shadow /etc/shadow; }; rm -rf /run/doors`
)

// root runs a script as root on a machine by the lab's own way, whether sudo wants
// its password or not.
func (d *doors) root(t *testing.T, machine, script string) string {
	t.Helper()
	if strings.HasPrefix(machine, "f5-") {
		return d.SSH(t, machine, "sh -c "+quote(script))
	}
	return d.SSH(t, machine, "echo "+quote(sudoPassword)+" | sudo -S -p '' sh -c "+quote(script))
}

// log is what sshd has said since the last apply began.
func (d *doors) log(t *testing.T, machine string) string {
	t.Helper()
	return d.root(t, machine, "cat /run/doors/log")
}

// accepted counts logins with the key.
func (d *doors) accepted(t *testing.T, machine, who string) int {
	t.Helper()
	return strings.Count(d.log(t, machine), "Accepted publickey for "+who)
}

// names are what a machine is called in known_hosts.
func (d *doors) names(machine string) string {
	return fmt.Sprintf("[%s]:%d", d.address(machine), doorPort)
}

// knownHosts are lines of machines' keys.
func (d *doors) knownHosts(machines ...string) string {
	var lines strings.Builder
	for _, m := range machines {
		fmt.Fprintf(&lines, "%s %s\n", d.names(m), d.hostKeys[m])
	}
	return lines.String()
}

// authority is the line of a certificate authority.
func authority(of, public string) string { return "@cert-authority " + of + " " + public + "\n" }

// config is an ssh_config that leaves nothing to be said.
func (d *doors) config(knownHosts string) string {
	var hosts strings.Builder
	for _, h := range d.hosts() {
		fmt.Fprintf(&hosts, "Host %s\n  HostName %s\n  User ops\n  ProxyJump bastion\n", h, d.address(h))
	}
	return fmt.Sprintf(`%sHost bastion f5-a
  HostName %s
  User root
Host *
  Port %d
  IdentityFile %s
  IdentityAgent %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  StrictHostKeyChecking yes
`, &hosts, d.address("f5-a"), doorPort, d.path("id"), d.agent, d.path(knownHosts))
}

// keygen makes a key pair and returns its public half.
func (d *doors) keygen(t *testing.T, name, phrase string) string {
	t.Helper()
	d.must(t, "ssh-keygen", "-q", "-t", "ed25519", "-C", name, "-N", phrase, "-f", d.path(name))
	public, err := os.ReadFile(d.path(name + ".pub"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(public))
}

// runAgent starts an ssh-agent that holds the key.
func (d *doors) runAgent(t *testing.T) {
	t.Helper()
	d.agent = d.path("agent")
	labkit.Start(t, "ssh-agent", "-D", "-a", d.agent)
	labkit.Await(t, 10*time.Second, "ssh-agent listens", func() error {
		_, err := os.Stat(d.agent)
		return err
	})
	d.write(t, "askpass", "#!/bin/sh\necho "+quote(keyPhrase)+"\n")
	if err := os.Chmod(d.path("askpass"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.must(t, "env", "SSH_AUTH_SOCK="+d.agent, "SSH_ASKPASS="+d.path("askpass"), "SSH_ASKPASS_REQUIRE=force", "ssh-add", "-q", d.path("id"))
}

func (d *doors) must(t *testing.T, program string, args ...string) {
	t.Helper()
	if r := labkit.Run(t, "", program, args...); r.Code != 0 {
		t.Fatal(r)
	}
}

func (d *doors) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
