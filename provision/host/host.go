package host

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Cmd is a command to run on a host, always as root. Argv is never a shell
// string: the transport quotes it. A script goes to `sh -s` as Stdin.
type Cmd struct {
	Argv  []string
	Stdin io.Reader // where secrets travel: never in Argv, never in an environment
	// Hide are strings that logs, events and errors show as ***.
	Hide []string
	// Limit bounds the command; 0 is the transport's default of a minute.
	Limit time.Duration
}

// String is the command as people see it: quoted, with what is hidden hidden.
func (c Cmd) String() string {
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = Quote(w)
	}
	return c.Redact(strings.Join(words, " "))
}

// Redact hides what is to be hidden in text that comes from or goes to people.
func (c Cmd) Redact(s string) string {
	for _, h := range c.Hide {
		if h != "" {
			s = strings.ReplaceAll(s, h, "***")
		}
	}
	return s
}

// Quote makes one word of s for a POSIX shell, and leaves plain words plain.
func Quote(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:=@%+,", r)
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Result is what a command that ran left behind, whatever its exit code.
type Result struct {
	Stdout, Stderr []byte
	Exit           int
}

// FileMeta is how a file is to be written.
type FileMeta struct {
	Mode  fs.FileMode // permission bits
	Owner string      // "root:root" when empty
}

// File is a file with what is to be in it, which may be secret.
type File struct {
	Path    string
	Content []byte
	FileMeta
}

// Content is what Upload sends. It is read once for each host, from several at
// the same time.
type Content struct {
	io.ReaderAt
	Size   int64
	SHA256 string // 64 hexadecimal digits
}

// Reader looks at a host. Its commands must change nothing; the test fake
// refuses any that is not on its list of those that only look.
type Reader interface {
	// Name is the host's name in the inventory.
	Name() string
	// Probe runs a command that only looks. An exit code is a Result, not an
	// error; an error means that the host could not be looked at.
	Probe(ctx context.Context, c Cmd) (Result, error)
}

// Writer changes a host.
type Writer interface {
	Reader
	// Run runs a command; an exit code other than 0 is an *ExitError.
	Run(ctx context.Context, c Cmd) (Result, error)
	// WriteFile replaces a file as a whole: content goes over stdin into a
	// temporary file beside it, which is renamed into place. Parent directories
	// are made (0755). Content may be secret.
	WriteFile(ctx context.Context, path string, content []byte, meta FileMeta) error
	// WriteFiles replaces several files in one go: none gets its name before all
	// have arrived whole, and then they get theirs in the order given.
	WriteFiles(ctx context.Context, files []File) error
	// Upload replaces a file as a whole by content that may be large and is not
	// secret. The host verifies the digest of what is about to get the file's name,
	// as root; another digest is an *ExitError with exit code 65, and the file is
	// as it was.
	Upload(ctx context.Context, path string, content Content, meta FileMeta) error
}

// ExitError is a command that ran and failed.
type ExitError struct {
	Host   string
	Cmd    string // redacted
	Exit   int
	Stderr string // redacted, whole
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: %s: exit code %d: %s", e.Host, e.Cmd, e.Exit, strings.TrimSpace(e.Stderr))
	return withFix(text, remedy(e.Stderr))
}

// remedy helps against the few things that every command says in the same words,
// whatever it was about to do. Nothing is decided by it.
func remedy(stderr string) string {
	switch {
	case strings.Contains(stderr, "No space left on device"):
		return "make room there (`df -h` and `df -i` show where there is none), and run it again"
	case strings.Contains(stderr, "Read-only file system"):
		return "look at how it is mounted (`findmnt`), and in the kernel's log why: a broken disk is mounted read-only"
	}
	return ""
}

func withFix(text, fix string) string {
	if fix == "" {
		return text
	}
	return text + "\n  fix: " + fix
}

// UnreachableError is a host that could not be spoken to: refused, timed out, or
// the connection was cut in the middle. Whether a command that was under way took
// effect is not known.
type UnreachableError struct {
	Host string
	Op   string // what was being done
	Err  error
	Fix  string // what to do about it; empty where nothing is known
	// Lost says that the connection is gone for good, and not only this command.
	Lost bool
}

func (e *UnreachableError) Error() string {
	return withFix(fmt.Sprintf("%s: unreachable while %s: %v", e.Host, e.Op, e.Err), e.Fix)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Lost reports whether an error comes of connections that are gone for good, all of
// them if it comes of several: trying again is of no use.
func Lost(err error) bool {
	switch e := err.(type) {
	case *UnreachableError:
		return e.Lost
	case interface{ Unwrap() error }:
		return Lost(e.Unwrap())
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		return len(all) > 0 && !slices.ContainsFunc(all, func(err error) bool { return !Lost(err) })
	}
	return false
}

// AuthError is a host that does not let us in, or that we do not trust: a
// rejected key, a host key that is unknown or another than the known one, a sudo
// that refuses.
type AuthError struct {
	Host string
	Err  error
	Fix  string // what to do about it
}

func (e *AuthError) Error() string {
	return withFix(fmt.Sprintf("%s: %v", e.Host, e.Err), e.Fix)
}

func (e *AuthError) Unwrap() error { return e.Err }

// NoSFTPError is a host that takes commands but no files over SFTP.
type NoSFTPError struct {
	Host string
	Err  error
}

func (e *NoSFTPError) Error() string {
	return fmt.Sprintf("%s: it offers no SFTP: %v\n  fix: put `Subsystem sftp internal-sftp` into its sshd_config and reload sshd, or let hosts fetch releases themselves: artifacts { pull = \"hosts\" }",
		e.Host, e.Err)
}

func (e *NoSFTPError) Unwrap() error { return e.Err }
