// Package allocatable says what of a machine Kubernetes gives to pods. What is kept
// back for the system and for Kubernetes itself follows a model: what another
// distribution has found to be right, or what the inventory says.
//
//	allocatable = machine − reserved − what hard eviction keeps free of memory
//
// It is pure, and gives with each figure the kubelet's settings that make it so:
// a figure that the kubelet does not enforce would be a wish.
package allocatable
