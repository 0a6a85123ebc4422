// Package ssh reaches hosts over SSH: one connection per host, every command as
// root over it, and tunnels through it. It implements the interfaces of package
// host.
//
// It is the only package of the program that imports x/crypto/ssh. What the
// inventory leaves open comes from ssh_config and then from ssh's defaults, so
// that `ssh HOST` and drover agree. Host keys are always verified; there is no
// setting that turns this off.
//
// A command is given up when its context ends, its limit passes or its
// connection dies. Its session is then closed: the remote process is signalled,
// and where the user may not signal it (sudo) it loses its stdin and stdout and
// ends at its next read or write. Whether it took effect is not known, so such
// an end is a *host.UnreachableError that wraps the cause.
package ssh
