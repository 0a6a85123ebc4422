package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print drover's version",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return a.view.Line(fmt.Sprintf("drover %s %s %s/%s", ownVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
		},
	}
}

// ownVersion is what the Go command has built in.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// helpExitCodes is a help topic: cobra shows commands that do nothing as such.
func helpExitCodes() *cobra.Command {
	var b strings.Builder
	b.WriteString("drover ends with one of these codes; they keep their meaning:\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "\n  %3d  %s", e.code, e.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What drover's exit codes mean", Long: b.String()}
}
