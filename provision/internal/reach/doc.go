// Package reach tries whether hosts reach each other on the ports they will need.
//
// A host is asked to connect as its sshd does for a tunnel: no program is needed
// there. Where nobody listens yet, a transient unit does for the time of the look:
// systemd-socket-activate, which is part of systemd. It ends with the look, and by
// itself soon after when the look was killed.
package reach
