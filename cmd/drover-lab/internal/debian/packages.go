package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Missing are those of the packages that are not installed on this machine.
func Missing(ctx context.Context, packages []string) ([]string, error) {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status}", p).Output()
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if string(out) != "installed" { // an unknown package is an error of dpkg-query
			missing = append(missing, p)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

// IsDebian reports whether this machine takes Debian packages.
func IsDebian() bool {
	_, err := os.Stat("/usr/bin/apt-get")
	return err == nil
}

// Install installs packages on this machine, without what they recommend: a
// tool that is needed here brings no service along.
func Install(ctx context.Context, packages []string) error {
	for _, args := range [][]string{
		{"update", "--quiet"},
		append([]string{"install", "--yes", "--quiet", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...) //nolint:gosec // names from our own lists
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, lastLines(out.String(), 15))
		}
	}
	return nil
}
