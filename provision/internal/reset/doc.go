// Package reset takes from a host what drover put there and nothing else. One
// script looks and, told so, removes; it judges each thing by evidence on the
// host: a unit that drover wrote or noted to have started, a binary whose record
// is drover's. What needs that evidence goes first and the evidence last, so a
// removal that was cut off is found again and ended by the next.
package reset
