// Package provision is what drover does with an inventory: look at its hosts,
// decide what has to change, and change it. The whole workflow is Open, Plan and
// Apply, each on one screen below; the packages under internal do the parts.
package provision
