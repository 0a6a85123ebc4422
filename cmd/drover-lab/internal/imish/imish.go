package imish

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/internal/zebos"
)

// Shell is one call of imish with all it touches.
type Shell struct {
	FRR      FRR
	Hostname string
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // a person types: show prompts, apply line by line
}

// Main is imish as the router's /usr/bin/imish runs it; it returns the exit
// status: 0 done, 1 refused or failed, 64 called wrongly.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	s := Shell{FRR: Vtysh{}, Hostname: host, Stdin: stdin, Stdout: stdout, Stderr: stderr, Terminal: isTerminal(stdin)}
	return s.Run(ctx, args)
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// errRefused says that everything about it has been printed.
var errRefused = errors.New("refused")

// Run is one call with the arguments after the program's name.
func (s Shell) Run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("imish", flag.ContinueOnError)
	flags.SetOutput(s.Stderr)
	domain := flags.String("r", "0", "route domain; a lab router has only 0")
	file := flags.String("f", "", "apply the configuration lines of `FILE`")
	var commands []string
	flags.Func("e", "run `CMD`; may be given more than once", func(c string) error {
		commands = append(commands, c)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return 64
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(s.Stderr, "imish: unexpected argument %q\n", flags.Arg(0))
		return 64
	}
	if *domain != "0" {
		fmt.Fprintf(s.Stdout, "Dynamic routing is not enabled for route domain %s.\n", *domain)
		return 1
	}
	err := s.run(ctx, *file, commands)
	if err != nil && !errors.Is(err, errRefused) {
		fmt.Fprintf(s.Stderr, "imish: %v\n", err)
	}
	if err != nil {
		return 1
	}
	return 0
}

func (s Shell) run(ctx context.Context, file string, commands []string) error {
	if file == "" && len(commands) == 0 {
		if s.Terminal {
			return s.interact(ctx)
		}
		lines, err := readLines(s.Stdin)
		if err != nil {
			return fmt.Errorf("reading commands: %w", err)
		}
		return s.batch(ctx, &reader{frr: s.FRR}, lines)
	}
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		lines, err := readLines(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := s.batch(ctx, &reader{frr: s.FRR, mode: configuring}, lines); err != nil {
			return err
		}
	}
	return s.batch(ctx, &reader{frr: s.FRR, mode: enabled}, commands)
}

// batch applies all of the lines or, when one is unknown, none.
func (s Shell) batch(ctx context.Context, r *reader, lines []string) error {
	steps, err := r.plan(ctx, lines)
	if err != nil {
		return s.complain(err)
	}
	failed := false
	for _, st := range steps {
		ok, err := s.runner().step(ctx, st)
		if err != nil {
			return err
		}
		failed = failed || !ok
	}
	if failed {
		return errRefused
	}
	return nil
}

func (s Shell) runner() runner { return runner{frr: s.FRR, stdout: s.Stdout, stderr: s.Stderr} }

// complain prints line errors as ZebOS does, and by name for who reads stderr.
func (s Shell) complain(err error) error {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, e := range errs {
		var bad *zebos.LineError
		if !errors.As(e, &bad) {
			return err
		}
		io.WriteString(s.Stdout, bad.Screen(0))
		fmt.Fprintf(s.Stderr, "imish: %v\n", bad)
	}
	return errRefused
}

// interact serves a person: each line takes effect at once, and a bad one ends nothing.
func (s Shell) interact(ctx context.Context) error {
	r := &reader{frr: s.FRR}
	in := bufio.NewScanner(s.Stdin)
	in.Buffer(nil, maxLine)
	for n := 1; !r.left; n++ {
		prompt := s.prompt(r)
		io.WriteString(s.Stdout, prompt)
		if !in.Scan() {
			fmt.Fprintln(s.Stdout)
			return in.Err()
		}
		st, err := r.read(ctx, n, in.Text())
		var bad *zebos.LineError
		switch {
		case errors.As(err, &bad):
			io.WriteString(s.Stdout, bad.Screen(len(prompt)))
			continue
		case err == nil:
			_, err = s.runner().step(ctx, st)
		}
		if err != nil {
			fmt.Fprintf(s.Stdout, "%% %v\n", err)
		}
	}
	return nil
}

// prompt is the host, the route domain and the mode.
func (s Shell) prompt(r *reader) string {
	p := s.Hostname + "[0]"
	switch {
	case r.mode == view:
		return p + ">"
	case r.mode == configuring && r.parser != nil:
		return p + r.parser.Context().Prompt() + "#"
	case r.mode == configuring:
		return p + zebos.Global.Prompt() + "#"
	}
	return p + "#"
}

const maxLine = 1 << 20

func readLines(r io.Reader) ([]string, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	var lines []string
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	return slices.Clip(lines), in.Err()
}
