package placement

// Admits reports whether a node's labels and taints let a workload's pods be there,
// whatever room there is.
func (w *Workload) Admits(n *Node) bool {
	return w.selects(n) && w.untolerated(n.taints(), NoSchedule, NoExecute) == 0
}
