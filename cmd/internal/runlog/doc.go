// Package runlog keeps a file for each run: JSON lines, of which the first says
// what was run on what, then every event and every command that a host was asked
// to run, and the last how it ended. A log without that last line is of a run that
// was killed: each line is written at once, and whole.
package runlog
