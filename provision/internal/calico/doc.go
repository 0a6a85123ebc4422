// Package calico says what the API server must hold for the pod network: the
// release's own manifest with drover's patches, and the BGP and IPAM objects
// the inventory asks for.
//
// The manifest stays the release's: [Patch] changes what it must, by name, and
// fails when a thing it means to change is not there, because a release that
// moved it needs a look and not a silent default. The objects are made from
// Calico's own Go types and turned into crd.projectcalico.org/v1, which is what
// the manifest's definitions store (file references in comments are to
// projectcalico/calico v3.30.1).
//
// The package is pure: it opens no file or connection and starts nothing.
package calico
