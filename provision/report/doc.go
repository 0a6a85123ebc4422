// Package report is what drover tells while it works and when it is done: events
// and the final report, as data. Renderers turn them into a live view, plain
// lines or JSON.
package report
