package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

const keyPhrase = "open sesame"

// encryptedKey is a key pair whose file has a passphrase.
func encryptedKey(t *testing.T) (file string, public ssh.PublicKey) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "id")
	if text, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", keyPhrase, "-f", file).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen (apt-get install openssh-client): %v %s", err, text)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	public, _, _, _, err = ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return file, public
}

// lockedFleet is a fleet whose key has a passphrase and whose sudo a password.
func lockedFleet(t *testing.T, more string) *fleet {
	t.Helper()
	file, public := encryptedKey(t)
	conf := hosttest.Config{User: "ops", Keys: []ssh.PublicKey{public}, Sudo: hosttest.Sudo{Password: sudoSecret}}
	return newFleet(t, 3, conf, fmt.Sprintf("user = \"ops\"\n  become = \"sudo\"\n  identity_file = %q\n  %s", file, more), "")
}

// passwordFile is the attribute that gives sudo's password.
func passwordFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sudo.secret")
	if err := os.WriteFile(file, []byte(sudoSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("become_password = file(%q)", file)
}

// shows waits until all that was written on the terminal matches.
func (x terminal) shows(what string) (all string) {
	x.t.Helper()
	want := regexp.MustCompile("(?m)" + what)
	for deadline := time.Now().Add(limitOfRun); ; time.Sleep(20 * time.Millisecond) {
		all = x.tmux("capture-pane", "-p", "-J", "-S", "-")
		if want.MatchString(all) {
			return all
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("never %q:\n%s", what, all)
		}
	}
}

// onTerminal runs a command on a terminal, and shows its exit code there.
func onTerminal(t *testing.T, c *exec.Cmd) terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux")
	}
	dir := t.TempDir()
	x := terminal{t, filepath.Join(dir, "tmux"), filepath.Join(dir, "tmux.conf")}
	if err := os.WriteFile(x.conf, []byte("set-option -g status off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := "env -i TERM=xterm-256color"
	for _, word := range append(append([]string{}, c.Env...), c.Args...) {
		line += " " + host.Quote(word)
	}
	x.tmux("new-session", "-d", "-x", "200", "-y", "50", "echo '$ drover'; "+line+"; echo exit code $?; stty -a; sleep 600")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

// What drover has to be told by its operator it asks for on the terminal, once
// however many hosts there are, shows none of it, and asks again for what was wrong.
func TestSecretsAreAskedForOnTheTerminal(t *testing.T) {
	f := lockedFleet(t, "")
	x := onTerminal(t, f.drover(t, "-K", "facts"))
	x.shows(`Password for sudo on the hosts:\s*$`)
	x.tmux("send-keys", "-l", sudoSecret)
	x.tmux("send-keys", "Enter")
	x.shows(`Passphrase for \S+/id:\s*\z`)
	x.tmux("send-keys", "-l", "not this")
	x.tmux("send-keys", "Enter")
	x.shows(`That was not it. Passphrase for \S+/id:\s*\z`)
	x.tmux("send-keys", "-l", keyPhrase)
	x.tmux("send-keys", "Enter")
	all := x.shows(`(?s)exit code \d.* echo `)
	for what, want := range map[string]int{"exit code 0": 1, "kube-node-2": 1, "Passphrase for": 2, "Password for": 1, keyPhrase: 0, "not this": 0, sudoSecret: 0, "could not": 0} {
		if got := strings.Count(all, what); got != want && (want == 0 || got < want || strings.HasPrefix(what, "Pass")) {
			t.Errorf("%q is there %d times, not %d:\n%s", what, got, want, all)
		}
	}
	log, _ := f.log(t, "facts")
	if strings.Contains(log, keyPhrase) || strings.Contains(log, sudoSecret) || !strings.Contains(log, `"kind":"command"`) {
		t.Errorf("the log:\n%s", log)
	}
}

// A board that is drawn meanwhile leaves the question alone, and Ctrl-C ends it
// with the terminal as it was.
func TestAQuestionIsStopped(t *testing.T) {
	f := lockedFleet(t, passwordFile(t))
	f.slowly()
	x := onTerminal(t, f.drover(t, "plan"))
	x.shows(`Passphrase for \S+/id:\s*\z`)
	time.Sleep(time.Second) // in which a board would be drawn over it five times
	all := x.shows(`Passphrase for \S+/id:\s*\z`)
	if looking.MatchString(all) {
		t.Errorf("a board is beside the question:\n%s", all)
	}
	x.tmux("send-keys", "C-c")
	all = x.shows(`(?s)exit code \d.* echo `)
	if !strings.Contains(all, "exit code 130") || strings.Contains(all, "-echo ") {
		t.Errorf("after Ctrl-C:\n%s", all)
	}
}

// Where there is no terminal nobody is asked: it is said what to do instead.
func TestNobodyToAsk(t *testing.T) {
	f := lockedFleet(t, passwordFile(t))
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"-K", "facts"}, 64, []string{"--ask-become-pass asks on a terminal", "become_password = file("}},
		{[]string{"facts"}, 77, []string{"ops is not let in", "/id is encrypted", "nobody to ask for its passphrase", "fix: `ssh-add ", "on a terminal"}},
	} {
		c := f.drover(t, test.args...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		r := start(t, c)
		if code := r.end(t, limitOfRun); code != test.code {
			t.Errorf("%q: exit %d, not %d", test.args, code, test.code)
		}
		for _, want := range test.says {
			if !strings.Contains(r.errs.String(), want) {
				t.Errorf("%q: %q is not said:\n%s", test.args, want, &r.errs)
			}
		}
	}
}
