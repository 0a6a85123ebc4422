// Package preflight judges what hosts are: what stands in the way of a cluster
// on them, before anything is touched.
//
// Each check is a function from the inventory and the hosts' facts to findings:
// what was measured, what is wanted, why that matters, and what to do. Checks are
// pure; the package imports nothing that could look or act. What could not be
// looked at is never found to be wrong.
package preflight
