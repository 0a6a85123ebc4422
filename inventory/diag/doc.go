// Package diag holds what drover tells an operator about a mistake: what is
// wrong, where it stands in the inventory or on which host, and what to do
// about it.
//
// It is a leaf: everything may import it, it imports nothing of drover's and
// knows nothing of HCL. It never reads files; whoever makes a Problem also
// gives the source line to show, because only the maker knows which lines hold
// a secret.
package diag
