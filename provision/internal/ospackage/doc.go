// Package ospackage says which packages of the operating system drover needs on
// a host: what it does not bring along itself.
package ospackage
