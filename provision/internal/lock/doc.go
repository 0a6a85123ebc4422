// Package lock is the fleet's lock: who may change hosts, one drover at a time.
//
// A claim is a small file on each master, named by its epoch. Who has claims on
// more than half of the masters holds the lock; the next holder's epoch is higher.
// A claim is good for a while, its lease, as the master's own clock counts it: clocks
// of different machines are never compared. The holder renews its lease, and stops
// everything when it cannot be sure of it any more. What a holder that does not know
// yet might still send is refused by the hosts: each keeps the highest epoch that
// changed anything there (package ssh asks for it with every change).
package lock
