package inventory

import (
	"crypto/subtle"
	"fmt"
	"io"
	"reflect"
	"slices"
)

const redacted = "(sensitive)"

// Secret is a text that no output shows by accident: every way of printing or
// encoding it gives the same placeholder. The text sits behind a pointer
// because fmt, which may not call methods on a struct's unexported fields,
// would otherwise print it from there.
type Secret struct{ text *string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal is the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet says whether there is a secret at all.
func (s Secret) IsSet() bool { return s.text != nil }

// Equal compares without telling, by its duration, where two secrets differ.
func (s Secret) Equal(o Secret) bool {
	return s.IsSet() == o.IsSet() && subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return redacted
}

// GoString keeps %#v from printing the text.
func (s Secret) GoString() string { return fmt.Sprintf("inventory.Secret(%q)", s.String()) }

// Format answers every verb alike: %x and %d would otherwise bypass String.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		io.WriteString(f, s.GoString())
		return
	}
	io.WriteString(f, s.String())
}

// MarshalText covers JSON, as a value and as a map key, and every other
// encoding that asks.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON shows null when there is no secret.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.text == nil {
		return []byte("null"), nil
	}
	return []byte(`"` + redacted + `"`), nil
}

// Secrets are the texts of all secrets of the inventory, for who has to keep them
// out of something.
func (c *Cluster) Secrets() []string {
	var out []string
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if s, ok := reflect.TypeAssert[Secret](v); ok {
			if s.IsSet() {
				out = append(out, s.Reveal())
			}
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		}
	}
	walk(reflect.ValueOf(c))
	slices.Sort(out)
	return slices.Compact(out)
}
