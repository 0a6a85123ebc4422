// Package preflight finds out, before a lab creates anything, what stands in its
// way on this machine: rights, tools, kernel features, room, and addresses
// already in use. Every obstacle is found at once, and each is named with its
// fix.
package preflight
