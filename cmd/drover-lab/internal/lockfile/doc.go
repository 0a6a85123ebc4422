// Package lockfile is a lock between processes that no crash can leave behind.
package lockfile
