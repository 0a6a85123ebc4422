// Package host says what drover can do on a machine, and nothing about how it
// gets there: the interfaces and errors that resources are written against and
// that the SSH transport and the test fake implement.
//
// Planning holds a Reader, which has no method that writes; only the engine
// hands out a Writer. That is what makes a dry run one by type.
package host
