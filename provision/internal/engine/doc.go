// Package engine carries out a plan: as a graph, each change as soon as what it
// needs is as wanted, with no barriers between hosts. It looks again after every
// change, and believes only what it sees.
package engine
