// Package machine makes and runs the systemd machines of a lab.
//
// A machine is a directory (its disk) and, while it runs, three processes:
//
//	keeper  this program; wires the machine to the network, starts it again
//	        after a reboot, and takes its links away when it is off
//	booter  this program, in a mount namespace of its own; puts the disk
//	        together and becomes:
//	nspawn  systemd-nspawn, whose child is the machine's own PID 1
//
// All of them live in the machine's control group. Mounts live in the booter's
// namespace alone, so they end with it, however it ends.
package machine
