// Package catalog reads what Puppet manages on a host, from the catalog that its agent
// keeps, and tells where that collides with what drover is about to write. It is pure, and
// holds no more of a catalog than types, titles and what collisions are told by: the rest
// may be secret.
package catalog
