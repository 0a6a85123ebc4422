// Package survey looks at what a host is, as against what drover has put there,
// which is package facts' business: its system, its clock, its network, its
// disks, who listens on it, and what another cluster left behind.
//
// One read-only script, one round trip. It asks for POSIX sh, coreutils, find
// and systemd; what else it can use (ip, getent) it does without where it is
// missing, and the facts say so.
package survey
