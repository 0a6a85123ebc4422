// Package cli is drover-lab's command line: one file per verb, each of which
// parses, calls package lab and renders what comes back.
package cli
