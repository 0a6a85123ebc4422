// Package puppetdbtest is a PuppetDB for tests: its query API v4 over TLS that wants a
// certificate, or plain on the loopback. Its answers have the shapes that PuppetDB
// documents, and it refuses what it does not know, as PuppetDB does.
package puppetdbtest
