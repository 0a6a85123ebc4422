// Package membership is the note on every host that says which cluster it
// belongs to, as which host, and with which settings: those that a cluster has
// from its first day on, and that no file on a host could be changed to change.
package membership
