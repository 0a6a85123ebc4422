// Package network builds a lab's network out of the kernel's own parts: a
// namespace per party, a namespace that holds one bridge per segment, and veth
// pairs between them. It drives them through iproute2 and nft, whose commands
// and errors an operator can read and repeat.
//
// Nothing of it is remembered elsewhere: which links exist and which cuts are in
// force is read back from the kernel.
package network
