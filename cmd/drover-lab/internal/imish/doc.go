// Package imish is the routing shell of a lab router: it is called as a
// BIG-IP's imish is, speaks ZebOS and drives FRR.
//
// A batch (standard input that is no terminal, -f FILE, -e CMD) is read whole
// before anything of it happens: one line ZebOS would not know, and nothing is
// applied. What passed goes to FRR as one script on vtysh's standard input, so
// that secrets never stand in an argument list or a file.
package imish
