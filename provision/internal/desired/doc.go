// Package desired says what a cluster of an inventory consists of: every file,
// certificate, binary, unit and object, on every host and in the API, with what
// each needs to be there first. It is pure: an inventory in, resources out.
package desired
