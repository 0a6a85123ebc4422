// Package components makes what a lab's machines install: the upstream
// programs, compiled from pinned tool modules and laid out as their releases
// are, and the container images. Everything goes into a cache outside the
// checkout, one directory per set, keyed by what the set is made from: what is
// there is never built again, and what is half-built is never seen.
//
// With Download the release files are fetched from upstream instead, and
// checked against published and pinned digests.
//
// The package knows nothing of labs, hosts or networks, and installs no
// packages: AptPackages says what has to be there.
package components
