// Package resource is the kinds of things drover manages: files, certificates,
// binaries, units, kernel settings, objects in the API, and the conditions a
// cluster must meet on the way. One file a kind.
//
// A resource says what it wants as data, tells how the thing is now from what was
// seen, and makes it so. The engine looks again after each change: no resource
// reports its own success.
package resource
