package ssh

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Become is how root is reached on a host.
type Become string

// BecomeNone means that the SSH user is root.
const (
	BecomeNone Become = "none"
	BecomeSudo Become = "sudo"
)

// Target is a host to connect to. What is empty is looked up in ssh_config under
// the host's name when a block other than `Host *` is meant for it, else under
// its address; then ssh's defaults apply.
type Target struct {
	Name    string // in the inventory
	Address string // in the inventory; a HostName in ssh_config overrides it

	User         string
	Port         int
	Become       Become // "" is BecomeNone
	Jump         string // ProxyJump's form; "none" overrides ssh_config
	IdentityFile string // must be readable, unlike those of ssh_config
	KnownHosts   string // a file; ssh_config's and ssh's own files when empty
	HostKey      string // pinned: "ssh-ed25519 AAAA…"; then no known_hosts is read

	// SudoPassword gives sudo's password; nil means that sudo must not ask.
	SudoPassword func(ctx context.Context) (string, error)
}

// Options are what all connections of a run share. The zero value is usable.
type Options struct {
	// ConfigFiles replace ~/.ssh/config and /etc/ssh/ssh_config.
	ConfigFiles []string
	// Home is the user's home; $HOME when empty.
	Home string
	// AgentSocket is the agent's; $SSH_AUTH_SOCK when empty, "none" for no agent.
	AgentSocket string
	// Passphrase opens an encrypted identity file. It is asked only when the host
	// takes that key and no agent holds it. It may be called at the same time for
	// several hosts; remembering an answer is its own affair.
	Passphrase func(ctx context.Context, file string) ([]byte, error)

	DialTimeout       time.Duration // of connecting and authenticating; 20 s when 0
	KeepAliveInterval time.Duration // 15 s when 0
	KeepAliveCount    int           // silent intervals until a connection is dead; 3 when 0
	StallTimeout      time.Duration // an upload has failed when nothing moves for so long; 60 s when 0

	// Jumps shares the connections to jump hosts; nil gives each host its own.
	Jumps *Jumps
	// Trace is told of every command when it has ended.
	Trace func(Trace)
}

// Trace is one command that ended. It holds no secrets.
type Trace struct {
	Host  string
	Cmd   string
	Start time.Time
	Took  time.Duration
	Exit  int
	Err   error // why there is no exit code
}

func (o Options) filled() Options {
	if o.Home == "" {
		o.Home = os.Getenv("HOME")
	}
	if o.ConfigFiles == nil {
		o.ConfigFiles = []string{filepath.Join(o.Home, ".ssh", "config"), "/etc/ssh/ssh_config"}
	}
	if o.AgentSocket == "" {
		o.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 20 * time.Second
	}
	if o.KeepAliveInterval == 0 {
		o.KeepAliveInterval = 15 * time.Second
	}
	if o.KeepAliveCount == 0 {
		o.KeepAliveCount = 3
	}
	if o.StallTimeout == 0 {
		o.StallTimeout = time.Minute
	}
	return o
}
