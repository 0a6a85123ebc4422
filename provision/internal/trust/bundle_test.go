package trust

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/internal/pki"
)

func generate(t *testing.T) *Bundle {
	t.Helper()
	b, err := Generate(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer is what a master says that holds these files.
func answer(files map[string][]byte) []byte {
	var b bytes.Buffer
	for _, f := range Files() {
		fmt.Fprintf(&b, "%s%s\n%s", marker, f.Path, files[f.Path])
	}
	fmt.Fprintf(&b, "%send\n", marker)
	return b.Bytes()
}

func TestABundleIsReadAsItWasMade(t *testing.T) {
	made := generate(t)
	read, err := Parse(answer(made.shared))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(Files(), Seal()) {
		if !bytes.Equal(made.Content(f.Path), read.Content(f.Path)) || len(read.Content(f.Path)) == 0 {
			t.Errorf("%s is read otherwise than it was made", f.Path)
		}
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", made, made, made, made)} {
		if strings.Contains(text, "BEGIN") {
			t.Error("a bundle prints its keys")
		}
	}
}

// Two bundles of which some of each is there make none.
func TestHalvesOfTwoBundlesAreNone(t *testing.T) {
	one, other := generate(t), generate(t)
	for _, path := range []string{
		pki.CAs()[0].Cert.Path, pki.CAs()[0].Key.Path, pki.CAs()[1].Cert.Path, pki.CAs()[2].Key.Path,
		pki.ServiceAccountKey().Path, pki.ServiceAccountPub().Path,
	} {
		mixed := map[string][]byte{}
		for _, f := range Files() {
			mixed[f.Path] = one.Content(f.Path)
		}
		mixed[path] = other.Content(path)
		if _, err := Parse(answer(mixed)); err == nil {
			t.Errorf("%s of another bundle is not seen", path)
		}
		delete(mixed, path)
		if _, err := Parse(answer(mixed)); !errors.Is(err, ErrIncomplete) {
			t.Errorf("without %s: %v", path, err)
		}
	}
	mixed := map[string][]byte{}
	for _, f := range Files() {
		mixed[f.Path] = one.Content(f.Path)
	}
	mixed[pki.ServiceAccountPub().Path] = other.Content(pki.ServiceAccountPub().Path)
	_, err := Parse(answer(mixed))
	if want := "/etc/kubernetes/pki/sa.pub: it is not the public half of /etc/kubernetes/pki/sa.key"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	// Keys are exchanged by way of both being there.
	mixed[pki.ServiceAccountPub().Path] = append(mixed[pki.ServiceAccountPub().Path], one.Content(pki.ServiceAccountPub().Path)...)
	if _, err := Parse(answer(mixed)); err != nil {
		t.Error(err)
	}
}

func TestASealIsOfWholeBundlesOnly(t *testing.T) {
	one, other := generate(t), generate(t)
	seal := string(one.Content(Seal().Path))
	if err := CheckSeal(seal, one.Digest); err != nil {
		t.Error(err)
	}
	if err := CheckSeal("", one.Digest); !errors.Is(err, ErrUnsealed) {
		t.Errorf("without a seal: %v", err)
	}
	for _, f := range Files() {
		with := func(digest string) func(string) string {
			return func(path string) string {
				if path == f.Path {
					return digest
				}
				return one.Digest(path)
			}
		}
		for _, test := range []struct{ seal, digest, want string }{
			{seal, other.Digest(f.Path), "its " + f.Path + " is not the one that /etc/kubernetes/pki/bundle.drover lists"},
			{seal, "", "it has no " + f.Path},
			{strings.Replace(seal, f.Path, "/elsewhere", 1), one.Digest(f.Path), "its " + f.Path + " is not the one that /etc/kubernetes/pki/bundle.drover lists"},
		} {
			if err := CheckSeal(test.seal, with(test.digest)); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		}
	}
	for line := range strings.Lines(seal) {
		if !strings.HasPrefix(line, "sha256:") || len(strings.Fields(line)) != 2 {
			t.Errorf("a seal has the line %q", line)
		}
	}
}
