package hosttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// TB is what is needed of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Call is a command as it reaches the machine.
type Call struct {
	Argv  []string
	Stdin []byte
	// Script is the text of a script of the transport's that is played by name.
	Script string
}

// Handler plays a command: it reads and changes the state. A machine runs one
// handler at a time.
type Handler func(s *State, c Call) host.Result

// Host is a fake machine.
type Host struct {
	tb   TB
	name string

	mu       sync.Mutex
	state    State
	commands map[string]Handler // by argv[0]
	scripts  map[string]Handler // by a script's first line
	ops      []Op
	faults   []Fault
	full     bool // there is no room for more files
}

var _ host.Writer = (*Host)(nil)

// New makes an empty machine that knows the usual commands.
func New(tb TB, name string) *Host {
	return &Host{tb: tb, name: name, state: newState(), commands: maps.Clone(usualCommands()), scripts: map[string]Handler{}}
}

// Handle teaches the machine a command, by its first word.
func (h *Host) Handle(argv0 string, f Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commands[argv0] = f
}

// Precede has something happen right before a command that the machine knows: by its
// first word, or by the first line of its script.
func (h *Host) Precede(begins string, f func(s *State, c Call)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind := h.commands
	if h.scripts[begins] != nil {
		kind = h.scripts
	}
	known := kind[begins]
	kind[begins] = func(s *State, c Call) host.Result {
		f(s, c)
		return known(s, c)
	}
}

// HandleScript teaches it a script that comes over stdin to `sh -s`, by the
// script's first line.
func (h *Host) HandleScript(firstLine string, f Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scripts[firstLine] = f
}

// Edit changes the machine behind everybody's back.
func (h *Host) Edit(f func(*State)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.state)
}

// State is a copy of what the machine holds.
func (h *Host) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.clone()
}

// Name is the host's name in the inventory.
func (h *Host) Name() string { return h.name }

// Probe runs a command that must change nothing.
func (h *Host) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	return h.operate(ctx, c, Op{Kind: OpProbe, Argv: c.Argv})
}

// Run runs a command; an exit code other than 0 is a *host.ExitError.
func (h *Host) Run(ctx context.Context, c host.Cmd) (host.Result, error) {
	res, err := h.operate(ctx, c, Op{Kind: OpRun, Argv: c.Argv})
	return res, h.exitError(c, res, err)
}

// WriteFile replaces a file.
func (h *Host) WriteFile(ctx context.Context, name string, content []byte, meta host.FileMeta) error {
	return h.WriteFiles(ctx, []host.File{{Path: name, Content: content, FileMeta: meta}})
}

// Upload replaces a file by content of a known digest.
func (h *Host) Upload(ctx context.Context, name string, content host.Content, meta host.FileMeta) error {
	argv := append(fileArgv("drover-upload", name, meta, content.Size), content.SHA256)
	c := host.Cmd{Argv: argv, Stdin: io.NewSectionReader(content, 0, content.Size)}
	res, err := h.operate(ctx, c, Op{Kind: OpWrite, Argv: c.Argv, Path: name})
	return h.exitError(c, res, err)
}

func fileArgv(command, name string, meta host.FileMeta, size int64) []string {
	owner := meta.Owner
	if owner == "" {
		owner = "root:root"
	}
	return []string{command, name, fmt.Sprintf("%04o", meta.Mode.Perm()), owner, fmt.Sprint(size)}
}

// WriteFiles replaces several files.
func (h *Host) WriteFiles(ctx context.Context, files []host.File) error {
	c := host.Cmd{Argv: []string{"drover-write-files", fmt.Sprint(len(files))}}
	var contents []io.Reader
	op := Op{Kind: OpWrite}
	for _, f := range files {
		c.Argv = append(c.Argv, fileArgv("", f.Path, f.FileMeta, int64(len(f.Content)))[1:]...)
		contents = append(contents, bytes.NewReader(f.Content))
	}
	if len(files) > 0 {
		op.Path = files[0].Path
	}
	op.Argv, c.Stdin = c.Argv, io.MultiReader(contents...)
	res, err := h.operate(ctx, c, op)
	return h.exitError(c, res, err)
}

func (h *Host) exitError(c host.Cmd, res host.Result, err error) error {
	if err != nil || res.Exit == 0 {
		return err
	}
	return &host.ExitError{Host: h.name, Cmd: c.String(), Exit: res.Exit, Stderr: c.Redact(string(res.Stderr))}
}

// operate is one operation called directly, with the faults that are due.
func (h *Host) operate(ctx context.Context, c host.Cmd, op Op) (host.Result, error) {
	lost := func(err error) error {
		return &host.UnreachableError{Host: h.name, Op: "running " + c.String(), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return host.Result{}, lost(err)
	}
	var stdin []byte
	if c.Stdin != nil {
		var err error
		if stdin, err = io.ReadAll(c.Stdin); err != nil {
			return host.Result{}, fmt.Errorf("%s: reading what to send: %w", h.name, err)
		}
	}
	if c.Limit > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, c.Limit)
		defer cancel()
	}
	fault, n := h.begin(op)
	if fault.Do == Reboot {
		defer h.Reboot()
	}
	if fault.strikes(Before) {
		if fault.Do == Fail {
			h.finish(n, stdin, fault.Exit)
			return fault.result(), nil
		}
		return host.Result{}, lost(fault.wait(ctx))
	}
	res, err := h.perform(n, Call{Argv: c.Argv, Stdin: stdin}, epoch{}, op.Kind == OpProbe)
	if err != nil {
		return host.Result{}, lost(err)
	}
	if fault.strikes(After) {
		if fault.Do == Fail {
			return fault.result(), nil
		}
		return host.Result{}, lost(fault.wait(ctx))
	}
	return res, nil
}

// perform lets a handler play a command and records it. Its error is a test's
// mistake, which has also failed the test.
func (h *Host) perform(n int, c Call, under epoch, probe bool) (host.Result, error) {
	h.tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := h.handler(c)
	if err != nil {
		h.record(n, c.Stdin, 127)
		h.tb.Errorf("%v", err)
		return host.Result{Exit: 127, Stderr: []byte(err.Error())}, err
	}
	before := h.state.clone()
	res, ok := h.state.admit(under)
	if ok {
		res = f(&h.state, c)
	}
	h.record(n, c.Stdin, res.Exit)
	switch changed := !h.state.same(before); {
	case changed && probe:
		was, is := before.Dump(), h.state.Dump()
		h.state = before
		err := fmt.Errorf("hosttest: %s: the probe %q changed the machine: %s", h.name, c.Argv, firstDifference(was, is))
		h.tb.Errorf("%v", err)
		return host.Result{}, err
	case changed && h.full && h.state.holdsMoreThan(before):
		h.state = before
		res = fail(1, "write error: No space left on device")
		h.record(n, c.Stdin, res.Exit)
	case changed:
		h.state.Now = h.state.Now.Add(time.Second)
	}
	return res, nil
}

// handler finds who plays a command.
func (h *Host) handler(c Call) (Handler, error) {
	if len(c.Argv) == 0 {
		return nil, fmt.Errorf("hosttest: %s: a command without words", h.name)
	}
	if len(c.Argv) >= 2 && c.Argv[0] == "sh" && c.Argv[1] == "-s" {
		first, _, _ := strings.Cut(string(c.Stdin), "\n")
		if f := h.scripts[first]; f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("hosttest: %s: unknown script that begins with %q", h.name, first)
	}
	if f := h.commands[c.Argv[0]]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("hosttest: %s: unknown command %q", h.name, c.Argv)
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s → %s", strings.TrimSpace(x[i]), strings.TrimSpace(y[i]))
		}
	}
	return "it is longer or shorter"
}
