// Package fleetbench measures the real drover on fleets of simulated hosts
// (provision/fleettest), and on real sshds, beside a floor: a bare program that
// connects to the same hosts and runs one command on each. All figures are ratios
// within one run, or drover's own CPU, memory and round trips, so that a noisy
// machine moves them little. `make bench` prints them; `make test` runs small
// fleets, for what must hold at any size.
package fleetbench
