// Package inventory reads drover's inventory, one or many HCL files, into a
// Cluster: typed, with its defaults filled in, validated, and with the place of
// every value, so that whatever goes wrong later can be shown where it was
// written.
//
// The way of a value:
//
//	load.go        paths -> files -> HCL bodies
//	grammar.go     which blocks there are and what they may hold; schema.go is
//	               what the grammar is made of
//	variable.go    variables: declared in the files, given from outside
//	local.go       locals, in the order of what they refer to
//	block.go       one HCL block against its grammar: unknown, missing, doubled
//	row.go         for_each: one block, many machines
//	funcs.go       what expressions may call; expression.go tells of those that fail
//	value.go       one attribute to a Go value of the right type; with network.go,
//	               text.go, form.go and settings.go, of the right form
//	decode.go      the blocks to the Cluster
//	defaults.go    what is not written
//	validate.go    what can only be seen over the whole Cluster
//	partial.go     an inventory without, or with another, part of it
//	generated.go   rows that are written by drover
//
// Reading never stops at the first mistake: whatever can be read is read, and
// every mistake is one diag.Problem with a stable Code and a fix. A mistake is
// told once: what merely follows from it (a master "missing" because its file
// did not parse, the other rows of a for_each) is kept back.
//
// # Rows
//
// HCL takes no expression as a block's label. A block with for_each is therefore
// labelled with the name of its rows, and each machine is called LABEL-KEY,
// unless the attribute name says otherwise:
//
//	kube_node "kube-node" {
//	  for_each = { "1" = "10.90.0.21", "2" = "10.90.0.22" }
//	  name     = "kube-node-${each.key}" # as it would be without this line
//	  address  = each.value
//	}
//
// for_each takes a map, or a set or list of texts or numbers, of which each
// element is both each.key and each.value.
//
// # What it touches
//
// The package opens the inventory's files, and those that file() names, and
// reads the variables that env() names and DROVER_VAR_NAME for the variables
// that are declared; it writes nothing and never uses the network. Nothing else
// of the machine it runs on reaches the result.
package inventory
