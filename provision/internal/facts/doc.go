// Package facts looks at a host: one read-only script, one round trip, and a
// typed Snapshot of everything drover could have put there. What is wanted is
// compared with snapshots only, so planning needs no second look at anything.
//
// The script asks for POSIX sh, coreutils, find and systemd, and writes nothing.
package facts
