// Package inventory reads drover's inventory, one or many HCL files, into a
// Cluster: typed, with its defaults filled in, validated, and with the place of
// every value, so that whatever goes wrong later can be shown where it was
// written.
//
// The way of a value:
//
//	load.go      paths -> files -> HCL bodies
//	schema.go    the grammar: which blocks there are and what they may hold
//	block.go     one HCL block against its grammar: unknown, missing, doubled
//	funcs.go     what expressions may call, and what they may refer to
//	value.go     one attribute to a Go value of the right type; with network.go
//	             and text.go, of the right form
//	decode.go    the blocks to the Cluster, with defaults
//	validate.go  what can only be seen over the whole Cluster
//
// Reading never stops at the first mistake: whatever can be read is read, and
// every mistake is one diag.Problem with a stable Code and a fix. A mistake is
// told once: what merely follows from it (a master "missing" because its file
// did not parse) is kept back.
//
// The package opens the inventory's files, and those that file() names, and
// reads the variables that env() names; it writes nothing and never uses the
// network. Nothing else of the machine it runs on reaches the result.
package inventory
