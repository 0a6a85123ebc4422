package facts

import "io/fs"

// Snapshot is what one host was like at one moment.
type Snapshot struct {
	Host      string
	Hostname  string
	MachineID string
	// CPUs and Memory, in bytes, are what the machine has; 0 when it could not be told.
	CPUs   int
	Memory int64
	// Files are the regular files and links below drover's directories and at
	// the paths asked for, by path.
	Files map[string]File
	Dirs  map[string]File
	// Texts are the contents of the small public files drover has to read:
	// certificates, and its own notes.
	Texts map[string]string
	Units map[string]Unit
	// Sysctls are the values of the keys asked for; one the kernel lacks is absent.
	Sysctls map[string]string
	// Commands are those of the commands asked for that the host has.
	Commands map[string]bool
	// BIRD is what Calico's BIRD answers when it is asked for its sessions; empty
	// where none runs.
	BIRD string
}

// File is what is known of a file without reading it into a plan.
type File struct {
	Mode   fs.FileMode // permission bits
	Owner  string      // "root:root"
	Size   int64
	Stamp  string // size, times and inode: changes whenever the content could have
	SHA256 string // of regular files up to DigestLimit, and of all that were to be digested
	Link   string // a symbolic link's target
}

// DigestLimit is the size in bytes up to which the probe digests files: all of
// drover's configuration, none of its binaries.
const DigestLimit = 1 << 20

// Unit is a systemd unit as `systemctl show` tells it.
type Unit struct {
	Load     string // "loaded", "not-found", …
	Active   string // "active", "inactive", "failed", "activating", …
	Sub      string
	Enabled  string // "enabled", "disabled", "static", "" …
	Reload   bool   // its file changed since systemd read it
	Fragment string // where its file is
}
