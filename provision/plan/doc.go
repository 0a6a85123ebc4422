// Package plan is what drover decides to do, as pure data: what is wanted, what
// was seen, and the difference. Screens, JSON, saved plans and the engine all
// work from the same value, so what is shown is what runs.
//
// It holds digests and words, never secrets, and imports nothing that could act.
package plan
