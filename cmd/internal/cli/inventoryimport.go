package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// puppetImport is one import: where from, where to, and whether to write.
type puppetImport struct {
	given  inventory.PuppetDB // by flags
	maxAge time.Duration
	out    string
	check  bool
	format view.Format
}

func (a *app) inventoryImport() *cobra.Command {
	var i puppetImport
	c := &cobra.Command{
		Use:   "puppetdb",
		Short: "Write rows of the cluster's hosts that PuppetDB knows",
		Long: `puppetdb asks PuppetDB which hosts are of the cluster and writes their rows into a
file of its own in the inventory's directory (puppetdb.hcl). Which they are, and
which of them are masters, their certificates say (pp_cluster, pp_role), which
Puppet's authority has signed; address and failure domain are facts. It is told
where PuppetDB is by a block of the inventory, or by flags:

  puppetdb {
    url = "https://puppetdb.example.net:8081"

    # what follows is what holds without it
    cluster        = "prod1"               # pp_cluster; the cluster's name
    master_role    = "kube_master"         # pp_role
    node_role      = "kube_node"
    name           = "certname"            # its first part; or "hostname", the fact
    address        = "facts.networking.ip"
    failure_domain = "trusted.extensions.pp_zone" # else pp_datacenter
    max_age        = "2h"                  # of facts that are believed
    host_keys      = false                 # pin keys; true: ask for them each time
    ignore         = []                    # certnames to leave out
  }

It shows to PuppetDB the certificate of this machine's Puppet agent, unless cert, key
and ca name others, and asks by plain HTTP on this machine alone.

The same answer makes the same file, byte for byte. A host that has a row of your
own gets none. A row stays, whatever becomes of its host: that it is away,
deactivated, expired, stale or failing is told, and adds or removes nothing; a row
goes when the inventory ignores its certname, or pins masters without it. Two hosts
with one name or address are an error, and so is an answer without any host: then
nothing is written.

Exit code 0: the file is as it should be; 2: it would change (--check); 65: what
would be written is no valid inventory; 69, 77: PuppetDB does not answer, or one of
the two does not trust the other.`,
		Example: "  drover inventory import puppetdb --check\n  drover -i /etc/drover inventory import puppetdb --url https://puppetdb.example.net:8081",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return a.importPuppetDB(c.Context(), &i) },
	}
	f := c.Flags()
	f.StringVar(&i.given.URL, "url", "", "PuppetDB's `URL`, instead of the inventory's")
	f.StringVar(&i.given.Cert, "cert", "", "`file` of the certificate to show (default: the Puppet agent's)")
	f.StringVar(&i.given.Key, "key", "", "`file` of its key")
	f.StringVar(&i.given.CA, "ca", "", "`file` of the authority that PuppetDB's certificate is of")
	f.StringVar(&i.given.Cluster, "cluster", "", "pp_cluster of the hosts (default: the inventory's, else the cluster's name)")
	f.DurationVar(&i.maxAge, "max-age", 0, "how old facts may be to be believed (default: the inventory's, else 2h)")
	f.StringVar(&i.out, "out", "", "`file` to write (default: puppetdb.hcl in the inventory's directory)")
	f.BoolVar(&i.check, "check", false, "write nothing; exit with code 2 when the file would change")
	outputFlag(c, &i.format)
	return c
}

func (a *app) importPuppetDB(ctx context.Context, i *puppetImport) error {
	if err := i.place(a.paths()); err != nil {
		return err
	}
	before, made, err := i.read()
	if err != nil {
		return err
	}
	o := a.options
	o.Instead = map[string][]byte{i.out: nil}
	byHand, problems := o.LoadPart(a.paths()...)
	if byHand == nil {
		return problems
	}
	for _, secret := range byHand.Secrets() {
		a.secrets.Hide(secret)
	}
	settings, err := i.settings(byHand)
	if err != nil {
		return err
	}
	found, err := provision.ImportPuppetDB(ctx, settings, byHand, made)
	if err != nil {
		return err
	}
	after := inventory.Generated(found.Rows, comment(settings.Cluster))
	o.Instead[i.out] = after
	if err := a.fits(o, i.out); err != nil {
		return err
	}
	changed := !bytes.Equal(before, after)
	if changed && !i.check {
		if err := i.write(before, after); err != nil {
			return fmt.Errorf("cannot write %s: %w", i.out, err)
		}
	}
	shown := view.PuppetImport{File: i.out, Found: found, Changed: changed, Written: changed && !i.check}
	if err := a.view.PuppetImport(shown, i.format); err != nil {
		return err
	}
	if changed && i.check {
		return codeError{code: exitChanges}
	}
	return nil
}

// place settles which file is written. One that is no part of the inventory would be
// written for nothing.
func (i *puppetImport) place(paths []string) error {
	if i.out == "" {
		dir := paths[0]
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		i.out = filepath.Join(dir, "puppetdb.hcl")
	}
	if !inventory.Holds(i.out, paths...) {
		return usageError("%s would be no part of the inventory: give the directory with -i, or that file as well", i.out)
	}
	return nil
}

// read is the file as it is, with its rows; nil when there is none.
func (i *puppetImport) read() ([]byte, []inventory.Host, error) {
	text, err := os.ReadFile(i.out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	made, err := inventory.ReadGenerated(i.out, text)
	return text, made, err
}

// settings are the inventory's with the flags over them.
func (i *puppetImport) settings(c *inventory.Cluster) (inventory.PuppetDB, error) {
	s := c.PuppetDB
	if s.URL == "" {
		s = inventory.DefaultPuppetDB()
		s.Cluster = c.Name
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&s.URL, i.given.URL}, {&s.Cert, i.given.Cert}, {&s.Key, i.given.Key}, {&s.CA, i.given.CA}, {&s.Cluster, i.given.Cluster}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if i.maxAge < 0 || i.maxAge > 0 && i.maxAge < time.Second {
		return s, usageError("--max-age %s: give a span of time such as 2h", i.maxAge)
	}
	if i.maxAge > 0 {
		s.MaxAge = inventory.Seconds(i.maxAge / time.Second)
	}
	switch {
	case s.URL == "":
		return s, usageError("where PuppetDB is is not known: give --url, or the inventory a block: puppetdb { url = \"https://puppetdb.example.net:8081\" }")
	case s.Cluster == "":
		return s, usageError("which cluster's hosts are wanted is not known: give --cluster, or the inventory a cluster block")
	}
	return s, nil
}

// fits judges the inventory with the file as it would be. What is wrong because of the
// file keeps it from being written; what else is wrong is told, as more may be to come.
func (a *app) fits(o inventory.Options, out string) error {
	_, problems := o.Load(a.paths()...)
	wrong := slices.DeleteFunc(slices.Clone(problems), func(p diag.Problem) bool {
		return p.Severity != diag.Error || p.At == nil || filepath.Clean(p.At.File) != filepath.Clean(out)
	})
	if len(wrong) > 0 {
		return wrong
	}
	if problems.HasErrors() {
		var told []string
		for _, p := range problems {
			if p.Severity == diag.Error {
				told = append(told, strings.TrimPrefix(p.Error(), "error: "))
			}
		}
		a.view.Warn("the inventory is not whole yet: %s", strings.Join(told, "; "))
	}
	return nil
}

// write replaces the file as a whole.
func (i *puppetImport) write(before, after []byte) error {
	if before != nil {
		return replace(i.out, after)
	}
	return renameio.WriteFile(i.out, after, 0o644)
}

// comment is what the file says of itself.
func comment(cluster string) string {
	return fmt.Sprintf(`The hosts of cluster %s in PuppetDB; `+"`drover inventory import puppetdb`"+` writes
this file anew. To say something else of a host, give it a row in a file of your own,
with its certname; to leave it out, puppetdb { ignore = […] }.`, cluster)
}
