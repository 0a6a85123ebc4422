// Package kube is the Kubernetes API as drover needs it, through any dialer:
// objects applied server-side and compared with what the API would make of them,
// node objects, kubelets' certificate requests, bootstrap tokens, and readiness in
// words that say what is missing.
//
// It decides nothing: what is wanted comes from its callers, and so does what to
// do about a difference. Reading methods change nothing; the one request they
// send that looks like a write is a dry run. It never turns a look that failed
// into "absent", and never puts the value of a Secret into a word or an error.
package kube
