// Package intake makes rows of the inventory of what PuppetDB knows, beside the rows
// that people have written and those that it made before. It is pure, and takes no row
// away because something is missing: only who writes the inventory does that.
package intake
