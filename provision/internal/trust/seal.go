package trust

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/droverctl/drover/provision/internal/pki"
)

// Seal is the file that says that a master holds a whole bundle: it has the
// digests of the bundle's files, and is written after all of them. Their being
// there says nothing: two runs that were killed half-way leave some of each. The
// ending of its name makes the probe bring its text along.
func Seal() pki.File {
	return pki.File{Path: path.Join(pki.Dir, "bundle.drover"), Mode: 0o600, Owner: "root:root"}
}

// seal makes the bundle's own.
func (b *Bundle) seal() {
	var text strings.Builder
	for _, f := range Files() {
		fmt.Fprintf(&text, "%s %s\n", b.Digest(f.Path), f.Path)
	}
	b.shared[Seal().Path] = []byte(text.String())
}

// ErrUnsealed says that a master's keys were never all written, or were written by
// a drover that did not seal them.
var ErrUnsealed = errors.New("it has no " + Seal().Path)

// CheckSeal tells what is wrong with a master's bundle: seal is the text there,
// and digest tells that of a file, empty when it is not there.
func CheckSeal(seal string, digest func(path string) string) error {
	if seal == "" {
		return ErrUnsealed
	}
	listed := map[string]string{}
	for line := range strings.Lines(seal) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		listed[file] = sum
	}
	for _, f := range Files() {
		switch have := digest(f.Path); {
		case have == "":
			return fmt.Errorf("it has no %s", f.Path)
		case have != listed[f.Path]:
			return fmt.Errorf("its %s is not the one that %s lists", f.Path, Seal().Path)
		}
	}
	return nil
}
