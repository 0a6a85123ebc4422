// Package capacity judges whether a cluster can hold what it is meant to hold,
// before anything is touched. Tier 0, all there is so far, needs the inventory
// alone; tiers that look at hosts and measure them come on top of it.
//
// Each check is a function from the inventory to Checks: what was measured,
// against which threshold, by which formula, whose threshold that is, and what
// to do when it is not met. Checks are pure; the package imports nothing that
// could look or act.
package capacity
