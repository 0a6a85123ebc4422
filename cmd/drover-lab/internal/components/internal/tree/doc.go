// Package tree writes tar archives that depend on what is in them and on
// nothing else: names sorted, one modification time, one owner, no surprises
// from the file system they were read from.
package tree
