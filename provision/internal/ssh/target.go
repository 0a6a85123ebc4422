package ssh

import (
	"context"
	"os"
	"os/user"
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
	// Attested tells the host's keys by another source than files; nil when there is
	// none. It is not asked about a host whose key is pinned.
	Attested func(ctx context.Context) Attestation
	// Watch is told what is waited for, and again with all that the host says, from
	// many goroutines; may be nil.
	Watch func(Phase)
}

// Phase is what is waited for on the way to a host.
type Phase int

// The phases.
const (
	Preparing Phase = iota // something on this side: a jump host, a passphrase
	Calling                // the host's kernel, to take the connection
	Talking                // the host's next word
)

func (t Target) tell(p Phase) {
	if t.Watch != nil {
		t.Watch(p)
	}
}

// Options are what all connections of a run share. The zero value is usable.
type Options struct {
	// ConfigFiles replace ~/.ssh/config and /etc/ssh/ssh_config, as `ssh -F` does.
	// Unlike those they have to exist.
	ConfigFiles []string
	// Home is the user's home; when empty $HOME, and where that is not set, as Puppet
	// runs things, the one that the system knows.
	Home string
	// AgentSocket is the agent's; $SSH_AUTH_SOCK when empty, "none" for no agent.
	AgentSocket string
	// Passphrase opens an encrypted identity file; nil when there is nobody to ask.
	// It is asked only when a host takes that key and no agent holds it, and again
	// when the answer was wrong. It may take its time, and may be called at the same
	// time for several files.
	Passphrase func(ctx context.Context, file string) ([]byte, error)
	// Keys remembers the files that were opened; nil lets each host ask anew.
	Keys *Keys

	DialTimeout       time.Duration // of connecting to one hop and authenticating; 20 s when 0
	KeepAliveInterval time.Duration // 15 s when 0
	KeepAliveCount    int           // silent intervals until a connection is dead; 3 when 0
	StallTimeout      time.Duration // an upload has failed when nothing moves for so long; 60 s when 0

	// Files are read once by all who share them; nil reads them for each host.
	Files *Files
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
	// Sent and Received are the bytes of stdin, and of both outputs. For a file over
	// SFTP Sent is what moved in both directions.
	Sent, Received int64
}

func (o Options) filled() Options {
	if o.Home == "" {
		o.Home = os.Getenv("HOME")
	}
	if o.Home == "" {
		if u, err := user.Current(); err == nil {
			o.Home = u.HomeDir
		}
	}
	if o.Keys == nil {
		o.Keys = &Keys{}
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
