// Package ssh reaches hosts over SSH: one connection per host, every command as
// root over it, and tunnels through it. It implements the interfaces of package
// host.
//
// It is the only package of the program that imports x/crypto/ssh and pkg/sftp.
// What the inventory leaves open comes from ssh_config and then from ssh's
// defaults, so that `ssh HOST` and drover agree. Host keys are always verified;
// there is no setting that turns this off.
//
// A command is given up when its context ends, its limit passes or its
// connection dies. The first two stop it on the host: its session is closed, and
// everything it has started gets a TERM and after a second a KILL, found by a
// marker in its environment, for which the caller waits at most five seconds.
// (Services that it asked systemd to start are not among them.) When the
// connection died, the command has lost its stdin and stdout and ends when it
// next uses them. What took effect is not known either way: such an end is a
// *host.UnreachableError that wraps the cause.
//
// To a command, a stdin that was cut looks like one that ended. WriteFile
// therefore checks the size on the host, and a script for `sh -s` whose first half
// alone would do harm belongs into a function that its last line calls.
//
// Upload goes over SFTP, as the user, who may not be root, and so only for what
// is no secret: root copies what came, checks the copy and gives it its name.
package ssh
