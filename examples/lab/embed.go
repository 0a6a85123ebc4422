// Package lab holds what drover-lab builds its machines from: the recipes of
// their root file systems and the tool modules of the components it compiles, so
// that the binary carries all of it and needs no checkout.
package lab

import "embed"

// Components holds one pinned tool module per set of components: NAME.mod and
// NAME.sum are its go.mod and go.sum. They are kept under those names because
// embedding does not reach into a directory that is a module of its own.
//
//go:embed components
var Components embed.FS

// Machine holds the recipes of the machines' images: KIND.packages and KIND.sh.
//
//go:embed machine
var Machine embed.FS
