// Package puppetdb asks PuppetDB, over its query API v4, which hosts there are and
// what their facts say. It asks in AST, PuppetDB's stable query language, and only
// reads.
//
// What it answers is believed, so the way to it is TLS with certificates at both
// ends, or plain HTTP that does not leave this machine. Answers are bounded in time
// and size, and one that ends early, as PuppetDB's do when a query fails half-way, is
// an error and never a short list.
package puppetdb
