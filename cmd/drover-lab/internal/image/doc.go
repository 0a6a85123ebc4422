// Package image builds the root file systems of a lab's machines and keeps them
// in the cache, keyed by their recipe. A machine is an overlay over one of them
// and never changes it.
package image
