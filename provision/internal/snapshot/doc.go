// Package snapshot takes snapshots of etcd: on a master, by that master's own etcd,
// which has to be part of a quorum. Each is verified before it gets its name, and
// stays there, for root alone; the newest few are kept. None of it passes through
// drover's machine unless it is asked to copy one.
package snapshot
