// Package voting is what is done to etcd's members, as resources: a snapshot before
// anything, and a member that goes, alone or with the lead handed on before. Masters that
// join, are replaced and are removed are made of it. It decides nothing about who goes:
// what would cost the quorum is refused where that is decided, and once more by the client
// that does it.
package voting
