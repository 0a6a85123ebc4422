// Package puppet is drover's neighbourliness with the Puppet agent of a host: what it
// manages there, whether it runs, and how it is kept from running while drover changes
// the host.
//
// Where Puppet keeps its state is never guessed: `puppet config print` says so. What is
// asked of a host beside that is POSIX sh, coreutils and systemd. An agent is disabled
// with a reason that names drover's run, and only a reason of drover's is ever taken away.
package puppet
