// Package gotool runs the go command so that its result depends on its inputs
// alone: whatever the caller's environment says about flags, workspaces or
// experiments is overridden, and only where modules and caches are found is kept.
package gotool
