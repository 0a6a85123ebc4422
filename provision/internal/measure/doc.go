// Package measure measures a host for the capacity checks of tier 2: how long a write
// to the disk of etcd's data takes, how long a packet to the other masters, and what
// of its processors others take.
//
// One script, one round trip, a few seconds. It asks for POSIX sh and coreutils; ping
// is used where it is there. It writes one file of a few hundred kilobytes beside
// etcd's data, which has no name while it is written and so is gone when the script ends,
// however it ends; and not at all where an etcd runs, unless that is asked for.
package measure
