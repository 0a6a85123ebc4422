// Package pki makes, describes and judges a cluster's keys and certificates,
// and knows which of them there are and where they live on a host.
//
// It is pure but for crypto/rand: time is an argument, files and hosts are the
// caller's. Private keys exist here as values that no output shows; only the
// functions named PEM and those that return a file's content give them away,
// for the caller to stream to a host.
package pki
