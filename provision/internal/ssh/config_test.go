package ssh_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// reach dials a host of which the inventory knows only name and address.
func reach(t *testing.T, config string) error {
	t.Helper()
	o := bare(t)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(config, "ITSELF", file)), 0o600); err != nil {
		t.Fatal(err)
	}
	o.ConfigFiles = []string{file}
	c, err := ssh.Dial(context.Background(), ssh.Target{Name: "node-1", Address: "192.0.2.1"}, o)
	if err == nil {
		_, err = c.Run(context.Background(), run("true"))
		c.Close()
	}
	return err
}

func TestSettingsOnlyInConfig(t *testing.T) {
	_, s := served(t, hosttest.Config{User: "ops"})
	// As root: the config's user is who logs in, and ops without sudo is refused by
	// the fake, so the target becomes root by sudo.
	o := bare(t)
	o.ConfigFiles = []string{writeFile(t, "config", fmt.Sprintf(
		"Host node-*\n\tHostName %s\n\tPort=%d\n\tUser ops\n\tIdentityFile %q\n\tUserKnownHostsFile %s\nHost *\n  User nobody\n  Port 1\n",
		s.Address, s.Port, s.KeyFile, s.KnownHosts))}
	c := dial(t, ssh.Target{Name: "node-1", Address: "192.0.2.1", Become: ssh.BecomeSudo}, o)
	if _, err := c.Run(context.Background(), run("true")); err != nil {
		t.Error(err)
	}
}

func TestConfigForms(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	all := fmt.Sprintf("HostName %s\nPort %d\nUser root\nIdentityFile %s\nUserKnownHostsFile /dev/null %s\n", s.Address, s.Port, s.KeyFile, s.KnownHosts)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "10-drover.conf"), []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]string{
		"by name":            "Host other\nPort 1\nHost node-1\n" + all,
		"by address":         "Host other\nPort 1\nHost 192.0.2.*\n" + all,
		"for all":            all,
		"negated":            "Host * !node-1\nPort 1\nHost *\n" + all,
		"match host":         "Match host node-*,x\n" + all,
		"match all":          "Match all\n" + all,
		"match final (rhel)": "Match final all\nGSSAPIAuthentication yes\nPort 1\nHost *\n" + all,
		"match exec unused":  "Match exec \"test -f /vpn\"\nForwardAgent no\nHost *\n" + all,
		"include":            "Include " + dir + "/*.conf\n",
		"include in a host":  "Host other\nInclude /nonexistent/*\nHost node-1\nInclude " + dir + "/*.conf\nHost *\nPort 1\n",
		"no proxy":           "Host node-1\nProxyJump none\nProxyCommand none\n" + all,
		"tokens":             "Host node-1\n" + fmt.Sprintf("HostName %s\nPort %d\nUser root\nIdentityFile %s\nUserKnownHostsFile %s/%%%%/../known_hosts\n", s.Address, s.Port, s.KeyFile, percentDir(t, s.KnownHosts)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := reach(t, config); err != nil {
				t.Error(err)
			}
		})
	}
}

// percentDir is a directory with a child named % beside a known_hosts file.
func percentDir(t *testing.T, known string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(known)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "known_hosts"), text, 0o600)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "%"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Files are read as `ssh -F` reads them: instead of the user's, with includes
// beside the user's, and not passed over when they are missing.
func TestNamedConfig(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	o := bare(t)
	if err := os.MkdirAll(filepath.Join(o.Home, ".ssh", "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config":        "ProxyCommand none-of-it\n",
		"conf.d/drover": fmt.Sprintf("HostName %s\nPort %d\nUser root\nIdentityFile %s\nUserKnownHostsFile %s\n", s.Address, s.Port, s.KeyFile, s.KnownHosts),
		"mine":          "Include conf.d/*\n",
	} {
		if err := os.WriteFile(filepath.Join(o.Home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := ssh.Target{Name: "node-1", Address: "192.0.2.1"}
	for _, file := range []string{writeFile(t, "named", "Include conf.d/*\n"), "~/.ssh/mine"} {
		o.ConfigFiles = []string{file}
		dial(t, target, o)
	}
	o.ConfigFiles = nil
	_, err := ssh.Dial(context.Background(), target, o)
	wantUnreachable(t, err, "use ProxyJump")
	o.ConfigFiles = []string{"/nonexistent/config"}
	_, err = ssh.Dial(context.Background(), target, o)
	wantUnreachable(t, err, "reading ssh_config", "/nonexistent/config")
	if err := os.Remove(filepath.Join(o.Home, ".ssh", "config")); err != nil {
		t.Fatal(err)
	}
	o.ConfigFiles = nil // what nobody named may be missing
	dial(t, targetOf(s), o)
}

// Where $HOME is not set, as Puppet runs things, home is where the system says, and not
// the directory that somebody happens to be in.
func TestHomeWithoutHOME(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	t.Setenv("HOME", "")
	t.Chdir(t.TempDir())
	if err := os.Mkdir(".ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(".ssh", "config"), []byte("ProxyCommand somebody's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dial(t, targetOf(s), ssh.Options{})
}

func TestConfigRefused(t *testing.T) {
	for name, c := range map[string]struct{ config, words string }{
		"proxy command":  {"ProxyCommand nc %h %p\n", "use ProxyJump"},
		"undecided":      {"Match exec \"true\"\nUser ops\n", "config:2: user is set in a Match block"},
		"bad port":       {"Port ssh\n", "Port ssh"},
		"no value":       {"HostName\n", "config:1: hostname has no value"},
		"open quote":     {"User \"ops\n", "config:1: a quote is not closed"},
		"jump in circle": {"ProxyJump bastion\n", "circle"},
		"bad jump":       {"Host node-1\nProxyJump ops@:22\n", "names no host"},
		"include itself": {"Include ITSELF\n", "16 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			err := reach(t, c.config)
			wantUnreachable(t, err, "working out how to reach it", c.words)
		})
	}
}

func TestProxyJump(t *testing.T) {
	_, node1 := served(t, hosttest.Config{})
	_, node2 := served(t, hosttest.Config{})
	_, outer := served(t, hosttest.Config{})
	_, inner := served(t, hosttest.Config{})
	config := ""
	for name, s := range map[string]*hosttest.Server{"node-1": node1, "node-2": node2, "outer": outer, "inner": inner} {
		config += fmt.Sprintf("Host %s\n HostName %s\n Port %d\n User root\n IdentityFile %s\n UserKnownHostsFile %s\n", name, s.Address, s.Port, s.KeyFile, s.KnownHosts)
	}
	config += "Host node-*\n ProxyJump outer,inner\n"
	o := bare(t)
	o.ConfigFiles = []string{writeFile(t, "config", config)}
	o.Jumps = &ssh.Jumps{}
	defer o.Jumps.Close()
	for _, name := range []string{"node-1", "node-2"} {
		c := dial(t, ssh.Target{Name: name, Address: "192.0.2.1"}, o)
		if _, err := c.Run(context.Background(), run("true")); err != nil {
			t.Fatal(err)
		}
	}
	if outer.Connections() != 1 || inner.Connections() != 1 || node1.Connections() != 1 || node2.Connections() != 1 {
		t.Errorf("connections: outer %d, inner %d, nodes %d and %d", outer.Connections(), inner.Connections(), node1.Connections(), node2.Connections())
	}

	// Without sharing, closing the host's connection closes the jump hosts' too.
	o.Jumps = nil
	c := dial(t, ssh.Target{Name: "node-1", Address: "192.0.2.1"}, o)
	if outer.Connections() != 2 {
		t.Errorf("outer: %d connections", outer.Connections())
	}
	c.Close()
	for end := time.Now().Add(10 * time.Second); outer.Open() != 1; time.Sleep(time.Millisecond) { // the shared one
		if time.Now().After(end) {
			t.Fatalf("outer: %d connections are open", outer.Open())
		}
	}

	// A shared connection that broke is made anew for the next host.
	o.Jumps = &ssh.Jumps{}
	defer o.Jumps.Close()
	one := dial(t, ssh.Target{Name: "node-1", Address: "192.0.2.1"}, o)
	outer.CutAll()
	_, err := one.Run(context.Background(), run("true"))
	wantUnreachable(t, err, "cut")
	var again error
	for range 50 { // the end travels through two hops
		var two *ssh.Conn
		if two, again = ssh.Dial(context.Background(), ssh.Target{Name: "node-2", Address: "192.0.2.1"}, o); again == nil {
			two.Close()
			break
		}
	}
	if again != nil {
		t.Error(again)
	}
}

func TestJumpHostNotTrusted(t *testing.T) {
	_, node := served(t, hosttest.Config{})
	_, bastion := served(t, hosttest.Config{})
	o := bare(t)
	o.ConfigFiles = []string{writeFile(t, "config", fmt.Sprintf("Host bastion\n HostName 127.0.0.1\n IdentityFile %s\n", bastion.KeyFile))}
	target := targetOf(node)
	target.Jump = fmt.Sprintf("root@bastion:%d", bastion.Port)
	_, err := ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "bastion", "not known")
	if node.Connections() != 0 {
		t.Error("the host was reached through a jump host that is not trusted")
	}
	// The host itself.
	o.ConfigFiles = []string{writeFile(t, "config", fmt.Sprintf("Host bastion\n HostName 127.0.0.1\n IdentityFile %s\n UserKnownHostsFile %s\n", bastion.KeyFile, bastion.KnownHosts))}
	target.KnownHosts = writeFile(t, "known_hosts", "")
	_, err = ssh.Dial(context.Background(), target, o)
	e := wantAuthError(t, err, "node-1", "not known")
	wantWords(t, e.Fix, fmt.Sprintf("echo '[node-1]:%d,[127.0.0.1]:%d ssh-ed25519 ", node.Port, node.Port))
}
