// Package provision is the one way from an inventory to a cluster: what the
// commands call, and nothing that reads or prints for people.
package provision
