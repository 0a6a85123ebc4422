// Package placement says what fits: which pods kube-scheduler would find a place for
// on which nodes, without a cluster to ask. It is pure; the same question gets the
// same answer.
//
// It is the scheduler as it is by default. A node takes a pod that tolerates its
// taints and asks for labels it has, while CPU, memory and the number of pods
// suffice and no hard topology spread forbids it. Of the nodes that take it, it goes
// to the one with the highest score:
//
//	LeastAllocated + BalancedAllocation + 2 × PodTopologySpread + 3 × TaintToleration
//
// where a workload without spread rules of its own has the scheduler's, as the pods
// of a ReplicaSet or StatefulSet do. From 100 nodes on the scheduler compares only
// some that have room, and goes on from there for the next pod; so does this, and
// then gives the best sixteenth of them a pod each. Which of several nodes with the same
// score is taken is a fall of the dice: this is no model of the scheduler's way to break
// a tie, but one that is to hold for whatever way. Not modelled: affinity between
// pods, preferred node affinity, priorities and preemption, volumes, ports, extended
// resources. Whoever asks must not leave them out where they matter.
//
// # What is claimed
//
// DaemonSets come first, then what runs already, where it runs; then the rest, and
// how much of that fits depends on the order it is submitted in and on chance. Of one
// workload with at most one hard rule, when all others run already, it does not: the
// count is exact. Otherwise
//
//	placed = min over orders of (pods placed + slack − margin), never more than asked for
//
// where the margin is 1 % of the pods placed that did not run already, after a loss 2 %,
// and 3 % where a pod asks for more than an eighth of the CPU or memory of a node that it
// may be on, rounded up; and slack is, once all are placed, for how many more of each
// workload there is room. So what fits with room to spare is claimed whole, and what fits
// only just is not promised. The orders are the obvious ones (as given, by size, by the
// ratio of CPU to memory, mixed) and, as far as the budget goes, up to 400 near the worst
// so far; of the twelve worst, ten outcomes each are tried again, and the worst of those
// counts: the worst of 400 owes too much to chance. The margin is for the orders that were
// not tried.
//
// What one order comes to differs by some percent, and rarely a tenth or more, by which of
// equal nodes is taken: a claim that holds in every order and every time is as far below
// what is placed most times. No margin makes it certain. In a simulation of 574 random sets
// in which no pod asks for more than an eighth of the smallest node and of 573 of pods of
// any size, each of 150 to 400 pods on 5 to 16 nodes and a master, submitted 153 times in the
// worst orders found and in random ones, the claim was above the least that was placed
//
//	of small pods        in no set    and after the loss of a node in 1, by 3 of 160 pods
//	of pods of any size  in 2, by 2   and after the loss in 2, by 1 and 2
//
// and otherwise at most 2.1 % below it, after the loss 3.5 % and, of pods of any size, 5 %.
// Of the first three times, which are one in the worst order, one in that for the loss and
// one in a random order, none was below the claim; the least of them was more than 5 % above
// it in 8 sets of small pods, and more than 10 % in 2 of pods of any size.
//
// Hard rules are the exception where several workloads with one compete, or where
// the domains are hosts: one that is full stops such a workload everywhere, whether
// that comes early or late is up to chance, and what is placed varies by a third
// from run to run. The claim is the low end of that.
//
// After a loss, pods that were elsewhere stay; those that were lost and those that
// had no place are submitted again, in many orders, to each of the four worst
// placements found before and to those of the obvious orders: what is worst after a
// loss need not have been before. Where there is time for many tries, each of the four is
// taken in the ten ways that chance made of it.
package placement
