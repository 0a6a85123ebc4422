// Package wait is how drover waits: for one condition that says in words what it
// is, for no longer than its limit, and with the last reason it was not met in
// the error when the limit passes.
//
// It knows nothing of what is waited for. Every wait in drover goes through For,
// so that none is without a deadline and none is silent.
package wait
