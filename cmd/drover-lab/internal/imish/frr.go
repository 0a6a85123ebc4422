package imish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// FRR is what imish needs of the routing daemons.
type FRR interface {
	// Show returns what a show command prints.
	Show(ctx context.Context, command string) (string, error)
	// Apply enters configuration lines. That FRR refused some of them is not
	// an error; it stands in the output.
	Apply(ctx context.Context, script string) (stdout, stderr string, err error)
	// Save writes the running configuration where the next boot finds it.
	Save(ctx context.Context) error
}

// Vtysh reaches FRR through its own shell.
type Vtysh struct {
	Args []string // before the command; where the sockets are, when not in the usual place
}

// Show implements [FRR].
func (v Vtysh) Show(ctx context.Context, command string) (string, error) {
	stdout, stderr, err := v.run(ctx, "", "-c", command)
	if err != nil {
		return "", fmt.Errorf("asking FRR for %q: %w: %s", command, err, strings.TrimSpace(stdout+stderr))
	}
	return stdout, nil
}

// Apply implements [FRR].
func (v Vtysh) Apply(ctx context.Context, script string) (string, string, error) {
	stdout, stderr, err := v.run(ctx, script, "-f", "/dev/stdin")
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && strings.Contains(stderr, "line ") {
		err = nil // refused lines, which the caller reads from the output
	}
	if err != nil { // not the output: it may repeat the script's secrets
		return "", "", fmt.Errorf("giving FRR its configuration: %w", err)
	}
	return stdout, stderr, nil
}

// Save implements [FRR].
func (v Vtysh) Save(ctx context.Context) error {
	stdout, stderr, err := v.run(ctx, "", "-c", "write memory")
	if err != nil {
		return fmt.Errorf("saving FRR's configuration: %w: %s", err, strings.TrimSpace(stdout+stderr))
	}
	return nil
}

func (v Vtysh) run(ctx context.Context, stdin string, args ...string) (string, string, error) {
	cmd := exec.CommandContext(ctx, "vtysh", append(v.Args[:len(v.Args):len(v.Args)], args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), stderr.String(), err
}
