// Package etcdtest starts real etcd members on loopback for tests, with mutual TLS
// and certificates made on the spot. It is for tests only.
package etcdtest
