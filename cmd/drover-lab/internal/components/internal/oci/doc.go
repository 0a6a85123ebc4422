// Package oci assembles container images from files, without a container
// engine, and keeps each as an OCI layout of its own. Equal files make equal
// digests.
package oci
