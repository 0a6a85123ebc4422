package host

import (
	"errors"
	"strings"
	"testing"
)

// What went wrong is followed by what to do about it, wherever that is known, and
// by nothing where it is not.
func TestErrorsTellTheirFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ExitError{Host: "n1", Cmd: "write /opt/x", Exit: 1, Stderr: "head: error writing 'standard output': No space left on device\n"}, "make room there"},
		{&ExitError{Host: "n1", Cmd: "write /etc/x", Exit: 1, Stderr: "mktemp: failed to create file: Read-only file system\n"}, "findmnt"},
		{&ExitError{Host: "n1", Cmd: "true", Exit: 1, Stderr: "no\n"}, ""},
		{&UnreachableError{Host: "n1", Op: "connecting", Err: errors.New("no"), Fix: "turn it on"}, "turn it on"},
		{&UnreachableError{Host: "n1", Op: "connecting", Err: errors.New("no")}, ""},
		{&AuthError{Host: "n1", Err: errors.New("no"), Fix: "let us in"}, "let us in"},
	} {
		said, fix, told := strings.Cut(c.err.Error(), "\n  fix: ")
		if !strings.HasPrefix(said, "n1: ") || told != (c.want != "") || !strings.Contains(fix, c.want) {
			t.Errorf("%v, want a fix with %q", c.err, c.want)
		}
	}
}
