// Package cli is drover's command line: one file per verb, and each verb parses,
// calls and renders. What it does is elsewhere, in inventory and provision; how
// it looks, in view. What scripts rely on (verbs, flags, exit codes) is frozen
// in testdata/surface.golden.
package cli
