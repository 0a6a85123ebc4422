// Package cgroup gives every party of a lab a control group of its own, in
// whichever form the machine has: cgroup v2 alone, v1, or both (hybrid).
//
// The groups are what makes a lab sure to be removable: whatever a lab starts,
// at any depth and however its parent died, stays in the lab's group and can be
// found and killed there.
package cgroup
