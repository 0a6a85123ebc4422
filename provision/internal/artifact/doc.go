// Package artifact knows where releases come from and what they must be: the URL
// of each, in upstream's layout, and the digest that was locked for it. A mirror's
// own digests prove nothing: whoever can change a file there can change them too.
// It fetches those that are wanted here, and sends those that hosts do not fetch
// themselves.
package artifact
