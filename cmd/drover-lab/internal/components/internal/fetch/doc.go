// Package fetch downloads release files and refuses what does not match the
// digest upstream publishes for it, or the one that is pinned here.
package fetch
