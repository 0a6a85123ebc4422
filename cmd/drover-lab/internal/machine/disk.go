package machine

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// dataDirs are the directories a machine keeps on a real file system: container
// images and databases do not work on an overlay.
var dataDirs = [...]string{"/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"}

// ops is the user id of the account of that name in the images.
const ops = 1000

// file is one file of a machine that differs from its image.
type file struct {
	path    string
	mode    fs.FileMode
	owner   int
	content string
	link    bool // content is a symbolic link's target
}

// Prepare makes the machine's disk if it has none: an empty upper layer but for
// its identity and the lab's key. It appears whole or not at all.
func Prepare(dir state.Dir, lab topology.Lab, m topology.Machine, imageRootfs string) error {
	disk := dir.Machine(m.Name)
	if _, err := os.Stat(disk); err == nil {
		return nil
	}
	if err := prepare(dir, lab, m, imageRootfs); err != nil {
		return fmt.Errorf("%s: making its disk: %w", m.Name, err)
	}
	return nil
}

func prepare(dir state.Dir, lab topology.Lab, m topology.Machine, imageRootfs string) error {
	partial := dir.Machine(m.Name) + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(partial, d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range dataDirs {
		if err := os.MkdirAll(filepath.Join(partial, "data", filepath.Base(d)), 0o755); err != nil {
			return err
		}
	}
	files, err := identity(dir, lab, m)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.write(filepath.Join(partial, "upper"), imageRootfs); err != nil {
			return err
		}
	}
	if err := os.Symlink(imageRootfs, filepath.Join(partial, "image")); err != nil {
		return err
	}
	return os.Rename(partial, dir.Machine(m.Name))
}

// identity is what makes a machine itself: names, keys, and where packages come
// from.
func identity(dir state.Dir, lab topology.Lab, m topology.Machine) ([]file, error) {
	hostKey, err := newKey("root@" + m.Name)
	if err != nil {
		return nil, err
	}
	access, err := os.ReadFile(dir.Key() + ".pub")
	if err != nil {
		return nil, err
	}
	authorized := file{path: "/home/ops/.ssh/authorized_keys", mode: 0o600, owner: ops, content: string(access)}
	if m.User() == "root" {
		authorized = file{path: "/root/.ssh/authorized_keys", mode: 0o600, content: string(access)}
	}
	names := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", m.Address(), m.Name, lab.Mirror, topology.Mirror)
	if server, ok := lab.Machine(topology.PuppetServer); ok && m.Name != server.Name {
		names += fmt.Sprintf("%s %s\n", server.Address(), server.Name)
	}
	files := []file{
		{path: "/etc/hostname", mode: 0o644, content: m.Name + "\n"},
		{path: "/etc/machine-id", mode: 0o444, content: lab.MachineID(m.Name) + "\n"},
		{path: "/etc/hosts", mode: 0o644, content: names},
		{path: "/etc/ssh/ssh_host_ed25519_key", mode: 0o600, content: string(hostKey.private)},
		{path: "/etc/ssh/ssh_host_ed25519_key.pub", mode: 0o644, content: string(hostKey.public)},
		authorized,
		// The mirror's packages come over the lab's own network, unsigned.
		{path: "/etc/apt/sources.list", mode: 0o644, content: fmt.Sprintf("deb [trusted=yes] http://%s/apt ./\n", lab.Mirror)},
	}
	if m.Role == topology.Router {
		files = append(files,
			file{path: "/etc/systemd/system/multi-user.target.wants/frr.service", content: "/lib/systemd/system/frr.service", link: true},
			file{path: "/etc/systemd/system/multi-user.target.wants/connections.service", content: "/etc/systemd/system/connections.service", link: true},
			file{path: "/etc/sysctl.d/90-router.conf", mode: 0o644, content: "net.ipv4.ip_forward = 1\nnet.ipv4.fib_multipath_hash_policy = 1\n"})
	}
	return files, nil
}

// installImish copies this binary to where a BIG-IP has its routing shell; called
// by that name it is one. It happens while the machine is off: an overlay's layers
// are not to be changed under it.
func installImish(dir state.Dir, m topology.Machine) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	image, err := os.Readlink(dir.Machine(m.Name, "image"))
	if err != nil {
		return err
	}
	content, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return file{path: "/usr/bin/imish", mode: 0o755, content: string(content)}.write(dir.Machine(m.Name, "upper"), image)
}

// write puts the file into an overlay's upper layer. Directories on the way get
// the mode and owner they have in the image: the upper layer's count.
func (f file) write(upper, imageRootfs string) error {
	if err := f.makeParents(upper, imageRootfs); err != nil {
		return err
	}
	path := filepath.Join(upper, f.path)
	if f.link {
		return os.Symlink(f.content, path)
	}
	if err := os.WriteFile(path, []byte(f.content), f.mode); err != nil {
		return err
	}
	if err := os.Chmod(path, f.mode); err != nil { // whatever the umask
		return err
	}
	return os.Chown(path, f.owner, f.owner)
}

func (f file) makeParents(upper, imageRootfs string) error {
	var parents []string
	for d := filepath.Dir(f.path); d != "/"; d = filepath.Dir(d) {
		parents = append([]string{d}, parents...)
	}
	for _, d := range parents {
		mode, owner := fs.FileMode(0o755), 0
		if info, err := os.Stat(filepath.Join(imageRootfs, d)); err == nil {
			mode = info.Mode().Perm()
			owner = ownerOf(info)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Mkdir(filepath.Join(upper, d), mode); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(upper, d), mode); err != nil {
			return err
		}
		if err := os.Chown(filepath.Join(upper, d), owner, owner); err != nil {
			return err
		}
	}
	return nil
}

// keyPair is an OpenSSH key, both halves as files hold them.
type keyPair struct{ private, public []byte }

func newKey(comment string) (keyPair, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	block, err := ssh.MarshalPrivateKey(priv, comment)
	if err != nil {
		return keyPair{}, err
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		return keyPair{}, err
	}
	line := string(ssh.MarshalAuthorizedKey(sshPub))
	return keyPair{private: pem.EncodeToMemory(block), public: []byte(line[:len(line)-1] + " " + comment + "\n")}, nil
}
