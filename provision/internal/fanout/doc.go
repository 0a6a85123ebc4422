// Package fanout has hosts hand releases on to each other, so that what leads from
// the origin (drover's uplink, or the mirror's) carries each about once.
//
// Swarm decides who has a release from whom: pure, and all of it in one place. A host
// that has verified its copy serves a few others at once, so that n hosts take about
// log n rounds. Nobody is trusted with it: each host verifies what it is handed, and
// a host whose copy is another is left out.
//
// Peers has hosts do it: one serves its copies over HTTP, by a transient unit that
// ends with the distribution, with drover's connection, or after its time.
package fanout
