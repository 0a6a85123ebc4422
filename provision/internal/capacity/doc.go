// Package capacity judges whether a cluster can hold what it is meant to hold,
// before anything is touched. Tier 0 needs the inventory alone, tier 1 what the
// hosts are and what runs, tier 2 what was measured on them.
//
// Each check is a function from typed input to Checks: what was measured, against
// which threshold, by which formula, whose threshold that is, and what to do when
// it is not met; Reference tells of all of them. Checks are pure; the package
// imports nothing that could look or act.
package capacity
