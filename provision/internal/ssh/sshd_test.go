package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// realHost is OpenSSH's sshd and the real sudo in a throw-away copy of a root
// file system: the lab's host image, or this machine where it has both.
type realHost struct {
	port    int
	keyFile string
	key     key
	errors  *bytes.Buffer
}

// The copy is an overlay in a mount namespace of its own, so nothing is left of
// it and this machine is not touched. ops has a password and sudo remembers that
// it was given; free needs none. ops' shell prints before every command, which
// internal-sftp does not mind.
const bootScript = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc none proc
mount --rbind /dev dev
mkdir -p run/sshd home/ops home/free root/.ssh
grep -q '^sshd:' etc/passwd || chroot . useradd --system --shell /usr/sbin/nologin sshd
for u in ops free; do chroot . useradd --home-dir "/home/$u" --shell /bin/bash "$u" 2>/dev/null || true; echo "$u:$5" | chroot . chpasswd; done
rm -rf etc/sudoers.d etc/ssh
mkdir -p etc/sudoers.d etc/ssh
printf 'Defaults timestamp_type=global\nroot ALL=(ALL:ALL) ALL\nops ALL=(ALL) ALL\nfree ALL=(ALL) NOPASSWD: ALL\n' > etc/sudoers
echo 'echo Authorised use only; echo and logged >&2' > home/ops/.bashrc
ssh-keygen -q -t ed25519 -N "" -f etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ecdsa -N "" -f etc/ssh/ssh_host_ecdsa_key
echo "$4" > etc/ssh/authorized_keys
printf '%s\n' 'ListenAddress 127.0.0.1' "Port $3" 'UsePAM no' 'AuthorizedKeysFile /etc/ssh/authorized_keys' 'StrictModes no' 'PermitRootLogin prohibit-password' 'PidFile none' 'Subsystem sftp internal-sftp' 'Match User free' 'AllowTcpForwarding no' > etc/ssh/sshd_config
exec chroot . /usr/sbin/sshd -D -e
`

func startRealHost(t *testing.T) *realHost {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real sshd: not with -short")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, for a mount namespace")
	}
	lower := realRoot()
	if lower == "" {
		t.Skip("needs sshd and sudo: the lab's host image (bin/drover-lab up makes it), or apt-get install openssh-server sudo")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &realHost{port: l.Addr().(*net.TCPAddr).Port, key: newKey(t), errors: &bytes.Buffer{}}
	l.Close()
	r.keyFile = r.key.file(t)
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", bootScript, "sh",
		t.TempDir(), lower, fmt.Sprint(r.port), r.key.line(), sudoPassword)
	cmd.Stderr = r.errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port)); err == nil {
			c.Close()
			return r
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sshd did not start: %v\n%s", err, r.errors)
		default:
		}
		if time.Now().After(end) {
			t.Fatal("sshd does not listen after 20 s")
		}
	}
}

func realRoot() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	images, err := filepath.Glob(filepath.Join(home, ".cache/drover-lab/images/host-*/rootfs"))
	if err != nil {
		return ""
	}
	for _, root := range append(images, "/") {
		_, err1 := os.Stat(filepath.Join(root, "usr/sbin/sshd"))
		_, err2 := os.Stat(filepath.Join(root, "usr/bin/sudo"))
		if err1 == nil && err2 == nil {
			return root
		}
	}
	return ""
}

func (r *realHost) target(user, knownHosts string) ssh.Target {
	target := ssh.Target{Name: "node-1", Address: "127.0.0.1", Port: r.port, User: user, IdentityFile: r.keyFile, KnownHosts: knownHosts}
	if user != "root" {
		target.Become = ssh.BecomeSudo
	}
	return target
}

func TestRealSSHD(t *testing.T) {
	r := startRealHost(t)
	known := filepath.Join(t.TempDir(), "known_hosts")

	// Unknown; then exactly what the error says makes it known.
	_, err := ssh.Dial(context.Background(), r.target("root", known), bare(t))
	e := wantAuthError(t, err, "not known", "SHA256:")
	add := e.Fix[strings.Index(e.Fix, "echo "):]
	if text, err := exec.Command("sh", "-c", add).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", add, err, text)
	}

	for _, c := range []struct {
		name, user, password string
	}{
		{"root", "root", ""},
		{"sudo without a password", "free", ""},
		{"sudo that wants no password", "free", sudoPassword},
		{"sudo with a password", "ops", sudoPassword},
		{"sudo that remembers the password", "ops", sudoPassword},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := r.target(c.user, known)
			if c.password != "" {
				target.SudoPassword = func(context.Context) (string, error) { return c.password, nil }
			}
			conn := dial(t, target, bare(t))
			realCommands(t, conn)
			realFiles(t, conn)
			realUpload(t, conn)
			if c.user == "root" {
				realCancel(t, conn, "trap '' TERM; ")
			} else {
				realCancel(t, conn, "")
			}
		})
	}
	t.Run("attested", func(t *testing.T) { r.attested(t, known) })
	t.Run("refused", func(t *testing.T) { r.refuses(t, known) })
	t.Run("tunnel", func(t *testing.T) { realTunnel(t, dial(t, r.target("root", known), bare(t))) })
	t.Run("no tunnel", func(t *testing.T) {
		for user, want := range map[string]ssh.TunnelError{
			"root": {Said: "Connection refused"}, "free": {Forbidden: true, Said: "open failed"},
		} {
			_, err := dial(t, r.target(user, known), bare(t)).DialContext(t.Context(), "tcp", "127.0.0.1:1")
			var got *ssh.TunnelError
			if !errors.As(err, &got) || *got != want {
				t.Errorf("%s: %v", user, err)
			}
		}
	})
	t.Run("cut", func(t *testing.T) { r.cut(t, known) })
	t.Run("banners", func(t *testing.T) { r.prints(t, known) })
}

func realCommands(t *testing.T, c *ssh.Conn) {
	t.Helper()
	res, err := c.Probe(context.Background(), host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader("id -u; echo oops >&2; exit 3\n")})
	if err != nil || string(res.Stdout) != "0\n" || string(res.Stderr) != "oops\n" || res.Exit != 3 {
		t.Errorf("%q %q %d %v", res.Stdout, res.Stderr, res.Exit, err)
	}
	if res, err = c.Run(context.Background(), run("printf", "%s|", "it's", "a b", "$HOME", "", "\\")); err != nil || string(res.Stdout) != `it's|a b|$HOME||\|` {
		t.Errorf("%q %v", res.Stdout, err)
	}
	if res, err = c.Probe(context.Background(), run("sh", "-c", "kill -9 $$")); err != nil || res.Exit != 137 {
		t.Errorf("killed: %d %v", res.Exit, err)
	}
}

func realFiles(t *testing.T, c *ssh.Conn) {
	t.Helper()
	for _, content := range []string{"PRIVATE KEY\n", sudoPassword + "\n\x00\xff"} {
		if err := c.WriteFile(context.Background(), "/etc/drover/x.key", []byte(content), host.FileMeta{Mode: 0o640, Owner: "root:daemon"}); err != nil {
			t.Fatal(err)
		}
		res, err := c.Run(context.Background(), run("cat", "/etc/drover/x.key"))
		if err != nil || string(res.Stdout) != content {
			t.Errorf("content %q %v", res.Stdout, err)
		}
	}
	if res, err := c.Run(context.Background(), run("stat", "-c", "%a %U:%G", "/etc/drover/x.key", "/etc/drover")); err != nil || string(res.Stdout) != "640 root:daemon\n755 root:root\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
	if res, err := c.Run(context.Background(), run("ls", "-A", "/etc/drover")); err != nil || string(res.Stdout) != "x.key\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
}

// realUpload goes over OpenSSH's SFTP into a directory of the user's own.
func realUpload(t *testing.T, c *ssh.Conn) {
	t.Helper()
	const file = "/opt/drover/x y/kubelet"
	content := blank(t, 9<<20+1)
	wrong := content
	wrong.SHA256 = strings.Repeat("0", 64)
	wantRefused(t, c.Upload(context.Background(), file, wrong, program), "sha256 is")
	for range 2 {
		if err := c.Upload(context.Background(), file, content, program); err != nil {
			t.Fatal(err)
		}
	}
	res, err := c.Run(context.Background(), run("sh", "-c", `cd "$1"; ls -A; stat -c '%a %U:%G' kubelet; sha256sum < kubelet; rm -r /opt/drover`, "sh", "/opt/drover/x y"))
	if err != nil || string(res.Stdout) != "kubelet\n755 root:root\n"+content.SHA256+"  -\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
}

func (r *realHost) refuses(t *testing.T, known string) {
	o := bare(t)
	target := r.target("root", known)
	target.IdentityFile = newKey(t).file(t)
	_, err := ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "root is not let in")

	o.AgentSocket = runAgent(t, newKey(t), r.key)
	target.IdentityFile = ""
	dial(t, target, o)

	// Last, with what sudo remembers forgotten.
	root := dial(t, r.target("root", known), bare(t))
	if _, err := root.Run(context.Background(), run("rm", "-rf", "/run/sudo/ts", "/var/lib/sudo/ts", "/var/run/sudo/ts")); err != nil {
		t.Fatal(err)
	}
	_, err = dial(t, r.target("ops", known), bare(t)).Run(context.Background(), run("true"))
	wantAuthError(t, err, "sudo refuses ops without a password", "a password is required")
	wrong := r.target("ops", known)
	wrong.SudoPassword = func(context.Context) (string, error) { return "wrong-s3cret", nil }
	begin := time.Now()
	_, err = dial(t, wrong, bare(t)).Run(context.Background(), host.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("SECRET")})
	wantAuthError(t, err, "sudo refuses ops", "try again")
	if strings.Contains(err.Error(), "wrong-s3cret") || time.Since(begin) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
}

func realTunnel(t *testing.T, c *ssh.Conn) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "pong") }))
	defer web.Close()
	client := http.Client{Transport: &http.Transport{DialContext: c.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "pong" {
		t.Errorf("%q %v", body, err)
	}
}

// realCancel shows that nothing of a command that was given up goes on, be it
// one that neither reads nor writes, in another process group, or deaf to TERM.
func realCancel(t *testing.T, c *ssh.Conn, first string) {
	t.Helper()
	script := first + "setsid sleep 4242 & sleep 4242 & while :; do sleep 4242; done"
	_, err := c.Run(context.Background(), host.Cmd{Argv: []string{"sh", "-c", script}, Limit: 2 * time.Second})
	wantUnreachable(t, err, "no end within 2s", "it was stopped")
	// Who was killed is there until the kernel has come to it.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := c.Probe(context.Background(), run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 4242'"))
		if err == nil && string(res.Stdout) == "0\n" {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("still running: %s %v", res.Stdout, err)
		}
	}
}

// prints gives the host an sh that prints whenever it starts, and then an SFTP
// that a printing shell starts, as distributions configure it.
func (r *realHost) prints(t *testing.T, known string) {
	c := dial(t, r.target("free", known), bare(t))
	const talkative = `printf '#!/bin/dash\necho "* property of ACME *"\nexec /bin/dash "$@"\n' > /usr/bin/sh.new && chmod 755 /usr/bin/sh.new && mv -fT /usr/bin/sh.new /usr/bin/sh`
	if _, err := c.Run(context.Background(), run("/bin/dash", "-c", talkative)); err != nil {
		t.Fatal(err)
	}
	if res, err := c.Run(context.Background(), run("sh", "-c", "true")); err != nil || string(res.Stdout) != "* property of ACME *\n" {
		t.Fatalf("it prints %q: %v", res.Stdout, err)
	}
	realFiles(t, c)
	content := blank(t, 1<<20)
	if err := c.Upload(context.Background(), "/opt/drover/k", content, program); err != nil {
		t.Error(err)
	}
	const restart = `echo 'echo Authorised use only' > /home/free/.bashrc; sed -i 's,internal-sftp,/usr/lib/openssh/sftp-server,' /etc/ssh/sshd_config; kill -HUP 1`
	_, err := c.Run(context.Background(), run("dash", "-c", restart))
	if err != nil {
		t.Fatal(err)
	}
	var e *host.NoSFTPError
	for end := time.Now().Add(10 * time.Second); !errors.As(err, &e); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a shell that prints spoils no SFTP: %v", err)
		}
		// Not before sshd has read its configuration; it is away for a moment.
		if c, err = ssh.Dial(context.Background(), r.target("free", known), bare(t)); err == nil {
			err = c.Upload(context.Background(), "/opt/drover/k", content, program)
			c.Close()
		}
	}
	wantWords(t, err.Error(), "does the user's shell print something", "internal-sftp")
}

// cut kills the host's end of a connection in the middle of an upload.
func (r *realHost) cut(t *testing.T, known string) {
	one, other := dial(t, r.target("root", known), bare(t)), dial(t, r.target("root", known), bare(t))
	res, err := one.Run(context.Background(), run("sh", "-c", "echo $PPID; mkdir -p /opt/cut; echo old > /opt/cut/k"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- one.Upload(context.Background(), "/opt/cut/k", host.Content{ReaderAt: zeros{}, Size: 1 << 40, SHA256: strings.Repeat("0", 64)}, program)
	}()
	for begun := one.Stats().Sent; one.Stats().Sent < begun+1<<20; {
		time.Sleep(time.Millisecond)
	}
	if _, err := other.Run(context.Background(), run("kill", "-9", strings.TrimSpace(string(res.Stdout)))); err != nil {
		t.Fatal(err)
	}
	wantUnreachable(t, <-ended, "uploading /opt/cut/", "cut")
	want := "old\nk\n" // the remote shell has removed the directory of the upload
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := other.Run(context.Background(), run("sh", "-c", "cat /opt/cut/k; ls -A /opt/cut"))
		if err != nil {
			t.Fatal(err)
		}
		if string(res.Stdout) == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q", res.Stdout)
		}
	}
}
