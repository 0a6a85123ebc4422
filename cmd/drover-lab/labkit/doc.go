// Package labkit is what the lab suites stand on: it runs real binaries against
// real labs, under a supervisor that takes the labs down however the tests ended.
// What a suite tests, and how it asks its labs, is the suite's own.
//
// It is for tests alone: nothing that is shipped imports it.
package labkit
