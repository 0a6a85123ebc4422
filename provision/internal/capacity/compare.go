package capacity

import "slices"

// Worsened are the checks that do not pass after a change, and were not as bad before
// it.
func Worsened(before, after []Check) []Check {
	was := map[string]Check{}
	for _, c := range before {
		was[c.key()] = c
	}
	return slices.DeleteFunc(slices.Clone(after), func(c Check) bool {
		b, made := was[c.key()]
		as := made && (b.Status == Fail || b.Status == c.Status)
		return c.Status == Pass || as && (b.Status != c.Status || c.weight <= b.weight+c.slack)
	})
}

// Is reports whether two are the same check of the same thing.
func (c Check) Is(o Check) bool { return c.key() == o.key() }

func (c Check) key() string { return c.ID + "\x00" + c.Subject }
