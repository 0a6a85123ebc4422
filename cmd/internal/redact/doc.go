// Package redact is the last line before text leaves drover for a log or a
// screen. What makes text keeps secrets out of it by itself; this takes out what
// came in all the same, as when a host repeats its input in an error.
package redact
