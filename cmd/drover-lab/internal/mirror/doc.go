// Package mirror serves what components made: release files in the layout of
// the upstream hosts, and images as the registries they come from. It holds
// names and digests in memory, never contents.
package mirror
