package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What scripts rely on: commands, arguments, flags with their defaults, exit
// codes. A change of this golden is a change of an agreement.
func TestSurface(t *testing.T) {
	var b strings.Builder
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		fmt.Fprintln(&b, c.CommandPath()+strings.TrimPrefix(c.Use, c.Name()))
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			short := ""
			if f.Shorthand != "" {
				short = "-" + f.Shorthand + ", "
			}
			fmt.Fprintf(&b, "    %s--%s %s (default %q)\n", short, f.Name, f.Value.Type(), f.DefValue)
		})
		for _, inner := range c.Commands() {
			walk(inner)
		}
	}
	walk((&app{}).root())
	fmt.Fprintln(&b, "exit codes")
	seen := map[int]bool{}
	for _, e := range exitCodes {
		if seen[e.code] {
			t.Errorf("exit code %d means two things", e.code)
		}
		seen[e.code] = true
		fmt.Fprintf(&b, "    %d %s\n", e.code, e.meaning)
	}
	const golden = "testdata/surface.golden"
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Every command says what it is for.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no help", c.CommandPath(), f.Name)
			}
		})
		for _, inner := range c.Commands() {
			walk(inner)
		}
	}
	walk((&app{}).root())
}
