package hosttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// OpKind is how an operation came.
type OpKind string

// The kinds of operations; over SSH they are OpExec, and OpSFTP for a file that
// is written so.
const (
	OpProbe OpKind = "probe"
	OpRun   OpKind = "run"
	OpWrite OpKind = "write"
	OpExec  OpKind = "exec"
	OpSFTP  OpKind = "sftp"
)

// Op is one operation, as the machine saw it: argv is what everybody on it could
// read in /proc.
type Op struct {
	N           int // from 1
	Kind        OpKind
	Argv        []string // of the command itself
	Line        string   // over SSH: all that was sent, with sudo and quotes
	Path        string   // of a written file
	Stdin       []byte
	StdinSHA256 string
	StdinSize   int
	Exit        int
	Ended       bool // it has an exit code
	Stopped     bool // the client gave it up and had it stopped
}

// begin notes an operation that has arrived and the fault that is due with it.
func (h *Host) begin(op Op) (Fault, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op.N = len(h.ops) + 1
	h.ops = append(h.ops, op)
	for i, f := range h.faults {
		if f.matches(op) {
			h.faults = append(h.faults[:i:i], h.faults[i+1:]...)
			h.full = h.full || f.Do == Full
			return f, op.N
		}
	}
	return Fault{}, op.N
}

// record completes an operation. The lock is held.
func (h *Host) record(n int, stdin []byte, exit int) {
	sum := sha256.Sum256(stdin)
	op := &h.ops[n-1]
	op.Stdin, op.StdinSHA256, op.StdinSize, op.Exit, op.Ended = bytes.Clone(stdin), hex.EncodeToString(sum[:]), len(stdin), exit, true
}

func (h *Host) finish(n int, stdin []byte, exit int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.record(n, stdin, exit)
}

func (h *Host) stopped(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[n-1].Stopped = true
}

// Ops are the operations so far.
func (h *Host) Ops() []Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Op(nil), h.ops...)
}

// Forget empties the record, for tests that look at what comes next.
func (h *Host) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = nil
}

// Leaks says where secrets could be seen: in an argv, and in the files that
// others may read.
func (h *Host) Leaks(secrets ...string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	for _, secret := range secrets {
		for _, op := range h.ops {
			if strings.Contains(strings.Join(op.Argv, " "), secret) || strings.Contains(op.Line, secret) {
				found = append(found, fmt.Sprintf("operation %d has a secret in its argv", op.N))
			}
		}
		for _, name := range h.state.Below("/") {
			if f := h.state.Files[name]; f.Mode.Perm()&0o044 != 0 && strings.Contains(f.Content, secret) {
				found = append(found, fmt.Sprintf("%s holds a secret and has mode %04o", name, f.Mode.Perm()))
			}
		}
	}
	return found
}
