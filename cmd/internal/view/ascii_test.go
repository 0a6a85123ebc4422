package view

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestASCII(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"plain\ttext\r\n":             "plain\ttext\r\n",
		"kube_master \"m1\" { … }":    "kube_master \"m1\" { ... }",
		"⌊(masters − 1) / 2⌋ ≥ 1 → 2": "floor((masters - 1) / 2) >= 1 -> 2",
		"● kubelet.service":           "* kubelet.service",
		"Müller 很长":                   "M?ller ??",
		"no\xffencoding\xc3":          "no?encoding", // the last may be the half of something
	} {
		var b strings.Builder
		w := ASCII(&b)
		for i := range len(in) { // byte by byte, as a pipe may have it
			if n, err := w.Write([]byte{in[i]}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if b.String() != want {
			t.Errorf("%q became %q, want %q", in, b.String(), want)
		}
	}
}

// Nothing else comes out, whatever goes in and in whatever parts; and what is JSON stays so.
func TestASCIIHasNothingElse(t *testing.T) {
	for r, text := range inASCII {
		if strings.ContainsAny(text, `"\`) || r < utf8.RuneSelf {
			t.Errorf("%q is written as %q", r, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		w := ASCII(&b)
		for _, part := range rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "parts") {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("%d of %d, %v", n, len(part), err)
			}
		}
		for i, c := range []byte(b.String()) {
			if c >= utf8.RuneSelf {
				t.Fatalf("byte %d is %#x", i, c)
			}
		}
	})
}

func TestASCIITellsErrors(t *testing.T) {
	closed := errors.New("closed")
	if _, err := ASCII(broken{closed}).Write([]byte("a")); !errors.Is(err, closed) {
		t.Errorf("got %v", err)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }
