package labtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
	"github.com/droverctl/drover/cmd/internal/redact/redacttest"
)

// What the planted secrets are, and where the test keeps them.
const (
	sudoSecret = "sudo it's a 'secret' 4711"
	bgpSecret  = "bgp-s3cret-0815"
	deployer   = "deploy" // who logs in with drover
)

// bootstrapKubeconfig holds a join token for the time of a join.
const bootstrapKubeconfig = "/etc/kubernetes/bootstrap-kubelet.conf"

// tokenLook is what join tokens look like.
var tokenLook = regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`)

var encryptionKey = regexp.MustCompile(`secret: *"?([A-Za-z0-9+/]{43}=)`)

// No secret is to be seen in what anybody can look at while a cluster is made, nor
// in what is left of it: by its value, known or found where it belongs, in each form.
func TestSecrets(t *testing.T) {
	suite.Need(t)
	dir := t.TempDir()
	plant := func(name, secret string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := begin(t, secretsLab, shape{Masters: 1, Nodes: 1, Routers: 1, User: deployer,
		SudoPassword: plant("sudo", sudoSecret), BGPPassword: plant("bgp", bgpSecret)})
	for _, h := range c.hosts() {
		c.letIn(t, h, deployer, sudoSecret)
		c.ssh(t, h, "touch "+stamp)
	}
	kept := filepath.Join(labkit.WorkDir(), "secrets")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}

	running, joins := watchProcesses(t), c.watchJoins(t, bootstrapKubeconfig)
	said := map[string]string{}
	run := func(code int, args ...string) labkit.Result {
		r := c.drover(t, append([]string{"--log-dir", filepath.Join(kept, "runs")}, args...)...)
		if r.Code != code {
			t.Fatal(r)
		}
		said["drover "+strings.Join(args, " ")] = r.Stdout + r.Stderr
		return r
	}
	saved := filepath.Join(kept, "plan.json")
	run(2, "plan", "--out", saved)
	run(2, "plan", "-o", "json")
	run(0, "--log-format", "json", "apply", saved)
	for _, args := range [][]string{{"apply", "--auto-approve"}, {"plan", "-o", "json"}, {"status", "-o", "json"}, {"bgp", "status"},
		{"facts", "-o", "json"}, {"bgp", "render", "f5-a"}, {"inventory", "show"}} {
		run(0, args...)
	}
	operator := run(0, "kubeconfig")
	said["drover kubeconfig"] = operator.Stderr // the secret is what was asked for
	canaries(t, c)
	seen, told, err := running.stop()
	t.Log(told)
	if err != nil {
		t.Errorf("not all programs were seen: %v", err)
	}

	h := c.secrets(t, joins.stop(), operator.Stdout)
	t.Logf("%d forms of secrets are searched for", h.Size())
	searchProcesses(t, h, seen)
	for what, text := range said {
		search(t, h, what, text)
	}
	searchDir(t, h, kept)
	for _, machine := range append(c.hosts(), "f5-a") {
		search(t, h, machine+"'s journal", c.ssh(t, machine, "journalctl --no-pager -o export"))
		search(t, h, machine+"'s logs", c.ssh(t, machine, "find /var/log -type f ! -path '/var/log/journal/*' -exec cat {} +"))
	}
	for _, host := range c.hosts() {
		c.searchFiles(t, h, host)
	}
}

// stamp is older than everything that drover made on a host.
const stamp = "/var/tmp/labtest-begun"

// letIn makes a user whom sudo asks for a password. That goes over stdin: what is in
// a command would be found in the journal.
func (c *cluster) letIn(t *testing.T, host, user, password string) {
	t.Helper()
	c.ssh(t, host, fmt.Sprintf(`set -e
useradd --create-home --shell /bin/sh %[1]s
install -d -m 0700 -o %[1]s -g %[1]s /home/%[1]s/.ssh
install -m 0600 -o %[1]s -g %[1]s /home/ops/.ssh/authorized_keys /home/%[1]s/.ssh/authorized_keys
echo '%[1]s ALL=(ALL) ALL' > /etc/sudoers.d/%[1]s
chmod 0440 /etc/sudoers.d/%[1]s`, user))
	if r := c.RunIn(t, user+":"+password+"\n", "ssh", host, "sudo chpasswd"); r.Code != 0 {
		t.Fatal(r)
	}
}

// canaries are short programs, here and on a host, that show what they are given:
// whoever watches has to see them. They are put together by a shell, so that it is
// them who are seen, and not who asked for them.
func canaries(t *testing.T, c *cluster) {
	t.Helper()
	const script = `for n in 1 2 3 4 5 6 7 8 9 10; do CANARY=env-$((4000+n)) sh -c 'sleep 0.05' argv-$((7000+n)); done`
	if r := labkit.Run(t, "", "sh", "-c", script); r.Code != 0 {
		t.Fatal(r)
	}
	c.ssh(t, "kube-node-1", script)
}

func searchProcesses(t *testing.T, h *redacttest.Hunt, seen map[process]bool) {
	t.Helper()
	var text strings.Builder
	found := map[bool]string{}
	for p := range seen {
		fmt.Fprintf(&text, "%s\n%s\n", p.args, p.env)
		for n := range 10 {
			if strings.Contains(p.args, fmt.Sprint("argv-", 7001+n)) && strings.Contains(p.env, fmt.Sprint("CANARY=env-", 4001+n)) {
				found[p.inLab] += fmt.Sprint(n, " ")
			}
		}
		// Others on this machine are free to have what looks like a token.
		if look := tokenLook.FindString(p.args + " " + p.env); p.inLab && look != "" {
			t.Errorf("what looks like a token, %s, is in the arguments or environment of %.200s", look, p.args)
		}
	}
	for where, inLab := range map[string]bool{"here": false, "on a host": true} {
		if n := len(strings.Fields(found[inLab])); n < 10 {
			t.Errorf("of 10 canaries %s %d were seen, so secrets could have been missed", where, n)
		}
	}
	search(t, h, "the programs that ran", text.String())
}

// search fails where a secret is in a text.
func search(t *testing.T, h *redacttest.Hunt, what, text string) {
	t.Helper()
	for _, found := range h.In(text) {
		t.Errorf("%s holds %s", what, found)
	}
}

func searchDir(t *testing.T, h *redacttest.Hunt, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(name)
		search(t, h, name, string(text))
		return err
	})
	if err != nil || files < 8 {
		t.Errorf("%d files in %s, %v: too few", files, dir, err)
	}
}

// secrets are those of the cluster, collected where they belong.
func (c *cluster) secrets(t *testing.T, joins map[string]string, operator string) *redacttest.Hunt {
	t.Helper()
	var h redacttest.Hunt
	h.Add("sudo's password", sudoSecret)
	h.Add("the BGP password", bgpSecret)
	for _, host := range c.hosts() {
		if joins[host] == "" {
			t.Errorf("%s was not seen to join with a token", host)
			continue
		}
		h.Add(host+"'s join token", joins[host])
		_, secret, _ := strings.Cut(joins[host], ".")
		h.Add("the secret half of "+host+"'s join token", secret)
	}
	config := []string{}
	for _, line := range regexp.MustCompile(`client-key-data: *(\S+)`).FindAllStringSubmatch(operator, -1) {
		config = append(config, line[1])
	}
	if len(config) != 1 {
		t.Errorf("%d keys are in the operator's kubeconfig", len(config))
	}
	for _, key := range config {
		h.Add("the operator's key", key[60:124]) // of its middle, where no header is
	}
	for _, host := range c.hosts() {
		if n := h.AddKeys("a private key of "+host, c.ssh(t, host, "cat /etc/kubernetes/pki/*.key /etc/kubernetes/pki/etcd/*.key /var/lib/kubelet/pki/*.pem 2>/dev/null || :")); n < 3 {
			t.Errorf("%s has only %d lines of private keys", host, n)
		}
	}
	key := encryptionKey.FindStringSubmatch(c.ssh(t, "kube-master-1", "cat /etc/kubernetes/encryption-config.yaml"))
	if key == nil {
		t.Fatal("there is no encryption key")
	}
	h.Add("the encryption key", key[1])
	return &h
}

// places are where a host could have files with secrets.
const places = "/etc /var /opt /run /tmp /root /home /srv /usr/local"

// searchFiles looks into every file that was made since the beginning. Those with a
// secret must be root's alone; a group that is root's may read them.
func (c *cluster) searchFiles(t *testing.T, h *redacttest.Hunt, host string) {
	t.Helper()
	// The whole of what others may read comes here to be searched. Of containers that
	// is their settings, as they are seen from the host; images are somebody else's.
	// Whether a directory above is in the way is found out as a user who is nobody.
	script := `cd / && find ` + places + ` -type f -newer ` + stamp + ` -size -8M \
	! -path '/var/lib/containerd/*' \( ! -path '/run/containerd/*/rootfs/*' -o -path '*/rootfs/etc/*' \) ! -path '/var/log/journal/*' -print > /run/labtest-all
runuser -u nobody -- sh -c 'while read -r f; do [ -r "$f" ] && printf "%s\n" "$f"; done' < /run/labtest-all > /run/labtest-open
find ` + places + ` -type f -newer ` + stamp + ` -perm /040 ! -group root ! -path '/var/lib/containerd/*' \( ! -path '/run/containerd/*/rootfs/*' -o -path '*/rootfs/etc/*' \) ! -path '/var/log/journal/*' -print >> /run/labtest-open
wc -l < /run/labtest-all
wc -l < /run/labtest-open
while read -r f; do printf '\n@@ %s\n' "$f"; cat "$f"; done < /run/labtest-open`
	text := c.ssh(t, host, script)
	counts := strings.SplitN(text, "\n", 3)
	var all, open int
	if _, err := fmt.Sscan(counts[0]+" "+counts[1], &all, &open); err != nil || all < 100 || open < 20 || open >= all {
		t.Errorf("%s: of %d files others may read %d, %v: that cannot be", host, all, open, err)
	}
	t.Logf("%s: of %d files others may read %d", host, all, open)
	for file := range strings.SplitSeq(text, "\n@@ ") {
		name, content, _ := strings.Cut(file, "\n")
		search(t, h, "what others may read on "+host+", "+name+",", content)
		if look := tokenLook.FindString(content); look != "" && strings.Contains(name, "kubernetes") {
			t.Errorf("%s: what looks like a token, %s, is in %s", host, look, name)
		}
	}
	if out := c.ssh(t, host, "ls "+bootstrapKubeconfig+" 2>&1 || :"); !strings.Contains(out, "No such file") {
		t.Errorf("%s: what it joined with is left: %s", host, out)
	}
	// Secrets of the API are encrypted where they lie.
	if out := c.ssh(t, host, "grep -rlF "+quote(bgpSecret[:9])+" /var/lib/etcd || :"); out != "" {
		t.Errorf("%s: the BGP password is in %s", host, out)
	}
}
