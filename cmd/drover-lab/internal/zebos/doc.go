// Package zebos is the fixed translation between the ZebOS dialect a BIG-IP's
// imish speaks and the FRRouting a lab router runs.
//
// One table (table.go) says for every ZebOS line where it may stand, what FRR
// calls it and how FRR shows it back; nothing outside that table reaches FRR.
// The lab must refuse what it does not know: a router that silently accepted
// FRR's dialect would let drover ship configuration no BIG-IP understands.
//
// The package is pure: it starts no process and opens no connection. All state
// lives in FRR; the two things FRR cannot hold (that a setting equal to FRR's
// default was made, and "bgp extended-asn-cap") are encoded in FRR's own
// configuration, see [State] and the table.
package zebos
