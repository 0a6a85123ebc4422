// Package evidence gathers what an operator would look up next when something did
// not come up: a unit's journal, who holds its ports, a pod's events and log.
//
// It is short, and bounded in time: what cannot be gathered is told, and never hides
// the error it is evidence for.
package evidence
