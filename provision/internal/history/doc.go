// Package history is what the masters remember of the runs that changed something:
// who, when, from where, with which inventory, what, and how it ended.
package history
