// Package hosttest plays hosts in tests: a machine with files, units, sysctls
// and packages that remembers what is done to it.
//
// A Host is a host.Writer. Serve puts the same machine behind a real SSH server
// on the loopback, with sudo, latency and broken connections as asked for.
//
// It accepts nothing on trust. A command without a handler fails the test; a
// Probe that changes the machine fails the test and is undone. It is the second
// importer of x/crypto/ssh and pkg/sftp, and is itself imported by tests only.
package hosttest
