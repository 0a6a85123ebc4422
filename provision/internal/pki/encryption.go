package pki

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// EncryptionKeySize is that of secretbox keys, in bytes.
const EncryptionKeySize = 32

// EncryptionKey encrypts Secrets at rest; every master of a cluster has the
// same. Like Key, no output shows it by accident; a pointer to an array would
// be followed by fmt when a verb does not fit, a pointer to a string is not.
type EncryptionKey struct{ text *string } // base64

// NewEncryptionKey makes a key.
func NewEncryptionKey() (EncryptionKey, error) {
	b := make([]byte, EncryptionKeySize)
	if _, err := rand.Read(b); err != nil {
		return EncryptionKey{}, fmt.Errorf("pki: make an encryption key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(b)
	return EncryptionKey{&text}, nil
}

func (k EncryptionKey) String() string { return "(encryption key)" }

// Format answers every verb alike.
func (k EncryptionKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText covers JSON.
func (k EncryptionKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// EncryptionConfig is the content of the API server's encryption configuration:
// a secret file. Secrets are written with secretbox (XSalsa20 and Poly1305):
// the Kubernetes documentation calls aescbc weak, for its padding oracle, and
// aesgcm unsafe without rotation every 200k writes; the CIS benchmark (1.2.28)
// accepts secretbox. identity comes last, so that what was written before
// encryption was turned on can be read.
func EncryptionConfig(k EncryptionKey) ([]byte, error) {
	if k.text == nil {
		return nil, errors.New("pki: encryption configuration: no key")
	}
	type object = map[string]any
	return yaml.Marshal(object{
		"apiVersion": "apiserver.config.k8s.io/v1",
		"kind":       "EncryptionConfiguration",
		"resources": []object{{
			"resources": []string{"secrets"},
			"providers": []object{
				{"secretbox": object{"keys": []object{{"name": "key1", "secret": *k.text}}}},
				{"identity": object{}},
			},
		}},
	})
}
