package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision"
)

// PuppetImport is what an import from PuppetDB did, or would do.
type PuppetImport struct {
	File             string
	Found            provision.Import
	Changed, Written bool
}

type puppetImportJSON struct {
	SchemaVersion int                      `json:"schema_version"`
	File          string                   `json:"file"`
	Changed       bool                     `json:"changed"` // the file is, or would be, another
	Written       bool                     `json:"written"`
	Rows          int                      `json:"rows"`
	Changes       []provision.ImportChange `json:"changes"`
	Notes         []provision.ImportNote   `json:"notes"`
}

// PuppetImport shows an import: what becomes of rows as data, what is to be known of
// hosts as messages.
func (v View) PuppetImport(i PuppetImport, f Format) error {
	if f == JSON {
		return v.json(puppetImportJSON{
			SchemaVersion: 1, File: i.File, Changed: i.Changed, Written: i.Written, Rows: len(i.Found.Rows),
			Changes: list(i.Found.Changes), Notes: list(i.Found.Notes),
		})
	}
	for _, n := range i.Found.Notes {
		who := n.Certname
		if n.Host != "" && n.Host != n.Certname {
			who = fmt.Sprintf("%s (%s)", n.Host, n.Certname)
		}
		text := fmt.Sprintf("%s: %s", v.told(who), v.told(n.Text))
		if provision.ImportSettled(n) {
			v.Note(text)
		} else {
			v.Warn("%s", text)
		}
	}
	counts := map[string]int{}
	for _, c := range i.Found.Changes {
		counts[string(c.Action)]++
		if err := v.Line(v.told(importLine(c))); err != nil {
			return err
		}
	}
	return v.Line(i.verdict(counts))
}

// importLine is what becomes of one row.
func importLine(c provision.ImportChange) string {
	sign := map[string]string{string(provision.ImportAdd): "+", string(provision.ImportUpdate): "~", string(provision.ImportDrop): "-"}[string(c.Action)]
	var words []string
	for _, f := range c.Fields {
		switch {
		case f.Before == "":
			words = append(words, f.Name+" "+f.After)
		case f.After == "":
			words = append(words, fmt.Sprintf("%s %s -> none", f.Name, f.Before))
		default:
			words = append(words, fmt.Sprintf("%s %s -> %s", f.Name, f.Before, f.After))
		}
	}
	line := fmt.Sprintf("%s %s %s (%s)", sign, c.Role, c.Name, c.Certname)
	if len(words) > 0 {
		line += ": " + strings.Join(words, ", ")
	}
	return line
}

func (i PuppetImport) verdict(counts map[string]int) string {
	rows := count(len(i.Found.Rows), "host")
	switch {
	case !i.Changed:
		return fmt.Sprintf("%s: %s; nothing to change", i.File, rows)
	case len(i.Found.Changes) == 0:
		return fmt.Sprintf("%s: %s; %s", i.File, rows, i.done("written anew", "to be written anew"))
	}
	return fmt.Sprintf("%s: %s; %d added, %d updated, %d taken out%s", i.File, rows, counts["add"], counts["update"], counts["drop"], i.done("", " (nothing is written)"))
}

func (i PuppetImport) done(yes, no string) string {
	if i.Written {
		return yes
	}
	return no
}
