// Package identity decides which cluster a set of hosts is: a new one, one that
// is being begun, one that exists, or nothing that may be touched. One cluster,
// never two: what is not certain is refused.
package identity
