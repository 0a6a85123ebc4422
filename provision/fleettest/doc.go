// Package fleettest makes a fleet of simulated hosts that a cluster comes up on:
// each a stateful fake behind an SSH server of its own on loopback, with settable
// latency, bandwidth and failures, and on the masters an API and an etcd of which
// just as much is played as drover asks for. The drover that works on it is a
// process of its own, so what it costs can be measured.
//
// Real: SSH, its handshakes, the bytes, the commands and scripts drover sends, the
// API's and etcd's TLS. Played: what the commands do, and every answer. What a host
// or an API really does with them is shown in the lab, not here.
package fleettest
