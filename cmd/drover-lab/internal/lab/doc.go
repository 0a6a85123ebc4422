// Package lab is what drover-lab does: bring a lab up, take it down, look at it,
// and disturb it. Each verb is one file, and its workflow one screen.
package lab
