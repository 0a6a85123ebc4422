// Package trust holds what a cluster's members trust each other by, while a run
// needs it: the three authorities, the key that signs service account tokens,
// and the key that encrypts Secrets at rest. They live on the masters only; here
// they are in memory, read to sign, and never written to this machine's disk.
package trust
