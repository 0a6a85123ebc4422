// Package imish is the routing shell of a lab router: it is called as a
// BIG-IP's imish is, speaks ZebOS and drives FRR.
//
// A batch (standard input that is no terminal, -f FILE, -e CMD) is read whole
// before anything of it happens: one line ZebOS would not know, and nothing is
// applied. What passed goes to FRR as one script on vtysh's standard input, so
// that secrets never stand in an argument list or a file.
//
// The router needs Debian 12's frr with bgpd=yes, bfdd=yes and vtysh_enable=yes
// in /etc/frr/daemons (zebra and staticd always run) and "service
// integrated-vtysh-config" in /etc/frr/vtysh.conf, for write; imish runs as root.
// IP forwarding is the kernel's, set before FRR starts.
package imish
