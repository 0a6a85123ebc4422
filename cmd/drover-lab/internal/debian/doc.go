// Package debian makes Debian 12 root file systems with mmdebstrap and installs
// packages on the machine drover-lab runs on.
//
// It knows nothing of machines or images: it turns a list of packages into a
// tree or a tarball, using the apt sources this machine already uses, so that a
// lab behind a company's mirror needs no setting of its own.
package debian
