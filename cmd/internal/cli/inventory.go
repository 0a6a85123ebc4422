package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

func (a *app) inventoryShow() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the inventory resolved: defaults filled in, rows and variables gone",
		Long: `show prints the inventory as drover understands it: defaults filled in, variables
replaced, one block for each machine of a for_each. As text it is an inventory
again, but for secrets, which are never shown.`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.read()
			if err != nil {
				return err
			}
			return a.view.Inventory(c, format)
		},
	}
	outputFlag(c, &format)
	return c
}

func (a *app) inventoryFmt() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [DIR|FILE…]",
		Short: "Give inventory files the one layout they have",
		Long: `fmt rewrites inventory files (the arguments, else --inventory) in the one layout
that inventories have, and prints the names of those it changed. Files in JSON
form, and files that do not parse, are left alone.`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(_ *cobra.Command, given []string) error {
			if len(given) > 0 && len(a.inventory) > 0 {
				return usageError("the inventory is given twice: by --inventory and by %s", given[0])
			}
			if len(given) == 0 {
				given = a.paths()
			}
			return a.format(given, check)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "change nothing; exit with code 2 when a file would change")
	return c
}

func (a *app) format(paths []string, check bool) error {
	files, problems := inventory.Files(paths...)
	changes := false
	for _, name := range files {
		before, after, wrong := inventory.Format(name)
		problems = append(problems, wrong...)
		if len(wrong) > 0 || bytes.Equal(before, after) {
			continue
		}
		changes = true
		if !check {
			if err := replace(name, after); err != nil {
				return fmt.Errorf("cannot write %s: %w", name, err)
			}
		}
		if err := a.view.Line(name); err != nil {
			return err
		}
	}
	problems = diag.Problems(problems)
	switch {
	case problems.HasErrors():
		return problems
	case changes && check:
		return codeError{code: exitChanges}
	}
	return nil
}

// replace writes a file so that it is at all times the old or the new one, with
// its mode and owner; behind a symbolic link it replaces the file, not the link.
func replace(name string, content []byte) error {
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(info.Mode().Perm()), renameio.IgnoreUmask())
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
