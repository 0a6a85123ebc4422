// Package view shows what drover found and did, for people and as JSON. Nothing
// else writes to standard output or standard error: data goes to the first,
// messages to the second. JSON carries a schema_version and is the same, byte for
// byte, for the same data.
package view
