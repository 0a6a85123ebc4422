// Package state knows where things of a lab lie on disk and keeps the one file
// that outlives a command: what the lab is made of (lab.json). Whether something
// runs is never written down: it is looked up in the kernel each time, so a
// killed command leaves no wrong record.
package state
