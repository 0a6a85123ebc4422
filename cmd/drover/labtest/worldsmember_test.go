package labtest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// droppedUpload is a master that hangs up while it is sent something large. What
// goes on from there is sent the rest.
func droppedUpload() world {
	const master = "kube-master-1"
	push := func(s *shape) { s.Push = true }
	return world{
		spoil: func(t *testing.T, c *cluster) {
			// Slow enough for the cut to be in the middle also on a machine that is busy.
			c.Must(t, "shape", master, "--rate", "300mbit")
			c.root(t, master, "systemd-run --quiet --unit=labtest-drop sh -c "+quote(
				`until find /opt/drover/kube-apiserver -path "*/.drover-stage*/sent" -size +8M 2>/dev/null | grep -q .; do sleep 0.02; done; pkill -KILL -u ops sshd`))
		},
		inventory: func(_ *testing.T, _ *cluster, s *shape) { push(s) },
		codes:     map[string]int{"apply": 69},
		says:      []string{master + ": unreachable while uploading /opt/drover/kube-apiserver/", "the connection was cut", "fix: see whether the machine is on", "run it again: it goes on from here"},
		reaches:   true,
		then: func(t *testing.T, c *cluster) {
			if left := c.root(t, master, "systemctl is-active labtest-drop || :; find /opt/drover -name '.drover-stage*'"); left != "inactive" {
				t.Errorf("after the cut: %s", left)
			}
		},
		mend:    func(t *testing.T, c *cluster) { c.Must(t, "shape", master, "--rate", "none") },
		instead: push,
	}
}

const cni = "/opt/drover/cni-plugins" // of what a member has, what it can be without for a while

// memberWorlds are those of a cluster; each begins and ends with one that is right.
func memberWorlds() map[string]world {
	const master, node = "kube-master-1", "kube-node-1"
	return map[string]world{
		// In the middle of apply: only what was fetched has a digest.
		"a digest that does not match": {
			spoil:     on(node, "rm -r "+cni),
			inventory: func(t *testing.T, _ *cluster, s *shape) { s.Lock = wrongLock(t, "cni-plugins") },
			codes:     map[string]int{"apply": 1},
			begins:    []string{master, node},
			says:      []string{node + "/artifact:cni-plugins  FAILED: " + node + ": ", "has digest sha256:", "wanted sha256:" + strings.Repeat("0", 64), "fix: compare both digests with what the release's maker publishes"},
		},
		// The file system that is full is one that the preflight has no reason to look at.
		"a disk that fills up below /opt": {
			spoil:  on(node, "rm -r "+cni+"; mkdir "+cni+"; mount -t tmpfs -o size=1m none "+cni),
			mend:   on(node, "umount "+cni),
			codes:  map[string]int{"apply": 1},
			begins: []string{node},
			says:   []string{node + "/artifact:cni-plugins  FAILED: " + node + ": ", cni + "/.partial: No space left on device", "fix: make room there"},
		},
		"an authority that has ended": {
			spoil: func(t *testing.T, c *cluster) { c.endAuthority(t) },
			mend: func(t *testing.T, c *cluster) {
				for _, h := range c.hosts() {
					c.root(t, h, "cd /etc/kubernetes/pki; for f in ca.crt bundle.drover; do [ ! -e $f.own ] || mv $f.own $f; done")
				}
			},
			codes: refused(),
			says:  []string{"FAIL    ca-ends  " + master, "the CA kubernetes ended on " + yesterday().Format(time.DateOnly), "fix: check first that the clocks are right", "replaced by hand"},
		},
		"sudo that remembers its password": {
			spoil: func(t *testing.T, c *cluster) {
				for _, h := range c.hosts() {
					c.root(t, h, "echo ops:"+cachedPassword+" | chpasswd; printf 'Defaults:ops timestamp_type=global\\nops ALL=(ALL) ALL\\n' > /etc/sudoers.d/ops; "+
						"su ops -c 'echo "+cachedPassword+" | sudo -S -v' && su ops -c 'sudo -n true'")
				}
				c.root(t, node, "rm /etc/kubernetes/pki/kube-proxy.*")
			},
			inventory: func(t *testing.T, _ *cluster, s *shape) {
				s.SudoPassword = filepath.Join(t.TempDir(), "sudo")
				if err := os.WriteFile(s.SudoPassword, []byte(cachedPassword+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			codes:   map[string]int{"apply": 0},
			reaches: true,
			then: func(t *testing.T, c *cluster) {
				c.inSync(t)
				for _, h := range c.hosts() {
					if got := c.root(t, h, "grep -rlF "+cachedPassword+" /etc /opt/drover /var/lib/drover /var/lib/kubelet/*.* || :"); got != "" {
						t.Errorf("%s: the password is in %s", h, got)
					}
				}
			},
			mend: func(t *testing.T, c *cluster) {
				for _, h := range c.hosts() {
					c.root(t, h, "echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops; passwd -q -d ops; passwd -q -l ops; rm -rf /run/sudo/ts/*")
				}
			},
		},
		// Whatever is printed is passed over, but where it spoils the protocol of SFTP;
		// what is well then is so with the banners still there.
		"shells that print a banner": {
			spoil: func(t *testing.T, c *cluster) {
				c.root(t, node, "rm -r "+cni+"; sed -i '1i echo property of ACME' ~ops/.bashrc; "+
					`printf '#!/bin/dash\necho "* property of ACME *"\nexec /bin/dash "$@"\n' > /usr/bin/sh.new; chmod 755 /usr/bin/sh.new; mv -fT /usr/bin/sh.new /usr/bin/sh`)
				if got := c.SSH(t, node, "sh -c true"); got != "property of ACME\n* property of ACME *" {
					t.Fatalf("the shells print %q", got)
				}
			},
			inventory: func(_ *testing.T, _ *cluster, s *shape) { s.Push = true },
			codes:     map[string]int{"apply": 1},
			begins:    []string{node},
			says:      []string{node + ": it offers no SFTP: ", "does the user's shell print something when it starts?", "fix: put `Subsystem sftp internal-sftp` into its sshd_config"},
			mend:      on(node, "sed -i 's,^Subsystem.*,Subsystem sftp internal-sftp,' /etc/ssh/sshd_config; systemctl reload ssh"),
			instead:   func(s *shape) { s.Push = true },
			clear:     on(node, "ln -sfn dash /usr/bin/sh; sed -i 1d ~ops/.bashrc"),
		},
	}
}

const cachedPassword = "labtest-s3cret"

// wrongLock is the suite's lock, with another digest of a component.
func wrongLock(t *testing.T, component string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(labkit.WorkDir(), "artifacts.lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		SchemaVersion int               `json:"schema_version"`
		Files         map[string]string `json:"files"`
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for file := range lock.Files {
		if strings.Contains(file, component) {
			lock.Files[file] = "sha256:" + strings.Repeat("0", 64)
			changed++
		}
	}
	if content, err = json.Marshal(lock); err != nil || changed != 1 {
		t.Fatalf("%d of %v, %v", changed, lock.Files, err)
	}
	path := filepath.Join(t.TempDir(), "lock.json")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func yesterday() time.Time { return time.Now().UTC().Add(-24 * time.Hour) }

// endAuthority makes the cluster's authority one that ended yesterday: of the same
// name and key, and sealed as it would be had it been made so long ago.
func (c *cluster) endAuthority(t *testing.T) {
	t.Helper()
	const dir, master = "/etc/kubernetes/pki/", "kube-master-1"
	was := parsed(t, c.root(t, master, "cat "+dir+"ca.crt"), x509.ParseCertificate)
	key := parsed(t, c.root(t, master, "cat "+dir+"ca.key"), anyKey)
	next := &x509.Certificate{
		SerialNumber: was.SerialNumber, Subject: was.Subject, SubjectKeyId: was.SubjectKeyId, AuthorityKeyId: was.AuthorityKeyId,
		NotBefore: was.NotBefore.AddDate(-10, 0, 0), NotAfter: yesterday(),
		KeyUsage: was.KeyUsage, BasicConstraintsValid: true, IsCA: true, MaxPathLen: was.MaxPathLen, MaxPathLenZero: was.MaxPathLenZero,
	}
	der, err := x509.CreateCertificate(rand.Reader, next, next, was.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for _, h := range c.hosts() {
		c.root(t, h, fmt.Sprintf(`cd %s; cp -p ca.crt ca.crt.own; printf '%%s' %s > ca.crt
[ -e bundle.drover ] || exit 0
cp -p bundle.drover bundle.drover.own
sed -i "s,^.* $PWD/ca.crt\$,sha256:$(sha256sum < ca.crt | cut -d' ' -f1) $PWD/ca.crt," bundle.drover`, dir, quote(string(cert))))
	}
}

// parsed reads what is in a PEM file.
func parsed[T any](t *testing.T, text string, parse func([]byte) (T, error)) T {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %d bytes", len(text))
	}
	v, err := parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func anyKey(der []byte) (any, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return x509.ParsePKCS8PrivateKey(der)
}
