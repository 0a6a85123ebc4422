package zebos

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// marker prefixes the names of FRR objects that stand for ZebOS settings FRR
// has no line for. No user's object may begin with it.
const marker = "zebos:"

// kind is the type of an argument in a pattern. It reads as many words as
// belong to it and returns the value in the form FRR will show it in, so that
// what comes back equals what went in.
type kind interface {
	read(words []string) (value string, used int, ok bool)
}

// enum is a keyword among a few; it may be abbreviated, as any keyword.
type enum []string

func (e enum) read(words []string) (string, int, bool) {
	w, _, ok := e.pick(words[0])
	return w, 1, ok
}

func (e enum) pick(word string) (full string, exact, ok bool) {
	var found []string
	for _, w := range e {
		if w == word {
			return w, true, true
		}
		if strings.HasPrefix(w, word) {
			found = append(found, w)
		}
	}
	if len(found) != 1 {
		return "", false, false
	}
	return found[0], false, true
}

// number is an unsigned integer within a range.
type number struct{ min, max uint64 }

func (n number) read(words []string) (string, int, bool) {
	v, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil || v < n.min || v > n.max {
		return "", 0, false
	}
	return strconv.FormatUint(v, 10), 1, true
}

type single func(word string) (string, bool)

func (f single) read(words []string) (string, int, bool) {
	v, ok := f(words[0])
	return v, 1, ok
}

func readAddr(w string) (string, bool) {
	a, err := netip.ParseAddr(w)
	if err != nil || !a.Is4() {
		return "", false
	}
	return a.String(), true
}

// readPrefix masks host bits, because FRR does.
func readPrefix(w string) (string, bool) {
	p, err := netip.ParsePrefix(w)
	if err != nil || !p.Addr().Is4() {
		return "", false
	}
	return p.Masked().String(), true
}

func readPrefixOrAny(w string) (string, bool) {
	if w == "any" {
		return w, true
	}
	return readPrefix(w)
}

// readName takes the names of groups, lists and maps. Digits and dots alone
// are a mistyped address or one of the numbered lists, which have a grammar of
// their own: neither may become a name.
func readName(w string) (string, bool) {
	if len(w) > 80 || strings.HasPrefix(w, marker) || strings.Trim(w, "0123456789.") == "" {
		return "", false
	}
	for _, c := range []byte(w) {
		if !isAlnum(c) && !strings.ContainsRune("-_./:", rune(c)) {
			return "", false
		}
	}
	return w, true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// readPeer takes what can stand after "neighbor": an address or a peer-group.
func readPeer(w string) (string, bool) {
	if a, ok := readAddr(w); ok {
		return a, true
	}
	return readName(w)
}

func readPrintable(w string) (string, bool) {
	for _, c := range []byte(w) {
		if c <= ' ' || c > '~' {
			return "", false
		}
	}
	return w, true
}

func readSecret(w string) (string, bool) {
	if len(w) > 80 { // the kernel's TCP MD5 keys end there
		return "", false
	}
	return readPrintable(w)
}

// text is the rest of the line. "| " in it would be a filter to vtysh, which
// drops such a line without a word; it is refused instead.
type text struct{}

func (text) read(words []string) (string, int, bool) {
	for i, w := range words {
		if _, ok := readPrintable(w); !ok || i < len(words)-1 && strings.HasSuffix(w, "|") {
			return "", 0, false
		}
	}
	return strings.Join(words, " "), len(words), true
}

// asPath is one or more AS numbers.
type asPath struct{}

func (asPath) read(words []string) (string, int, bool) {
	var out []string
	for _, w := range words {
		v, _, ok := number{1, 1<<32 - 1}.read([]string{w})
		if !ok {
			break
		}
		out = append(out, v)
	}
	return strings.Join(out, " "), len(out), len(out) > 0
}

// communities is one or more communities, sorted and unique as FRR keeps them.
type communities struct{}

func (communities) read(words []string) (string, int, bool) {
	type community struct {
		value uint32
		text  string
	}
	known := map[string]uint32{"no-export": 0xffffff01, "no-advertise": 0xffffff02, "local-AS": 0xffffff03}
	var out []community
	used := 0
	for _, w := range words {
		if v, ok := known[w]; ok {
			out = append(out, community{v, w})
			used++
			continue
		}
		as, nn, _ := strings.Cut(w, ":")
		a, err1 := strconv.ParseUint(as, 10, 16)
		n, err2 := strconv.ParseUint(nn, 10, 16)
		if err1 != nil || err2 != nil || a == 0 || a == 65535 { // the ends are reserved; FRR names some of them
			break
		}
		out = append(out, community{uint32(a<<16 | n), fmt.Sprintf("%d:%d", a, n)})
		used++
	}
	slices.SortFunc(out, func(x, y community) int { return cmp.Compare(x.value, y.value) })
	out = slices.Compact(out)
	var texts []string
	for _, c := range out {
		texts = append(texts, c.text)
	}
	return strings.Join(texts, " "), used, used > 0
}

// parseKind reads the kind of "<name:kind>". The table is fixed, so a mistake
// in it is a bug of ours and panics; a test loads the whole table.
func parseKind(s string) kind {
	switch s {
	case "ip":
		return single(readAddr)
	case "prefix":
		return single(readPrefix)
	case "prefix-any":
		return single(readPrefixOrAny)
	case "peer":
		return single(readPeer)
	case "name":
		return single(readName)
	case "word":
		return single(readPrintable)
	case "secret":
		return single(readSecret)
	case "text":
		return text{}
	case "as-path":
		return asPath{}
	case "communities":
		return communities{}
	case "as":
		return number{1, 1<<32 - 1}
	}
	if lo, hi, ok := strings.Cut(s, ".."); ok {
		min, err1 := strconv.ParseUint(lo, 10, 64)
		max, err2 := strconv.ParseUint(hi, 10, 64)
		if err1 == nil && err2 == nil {
			return number{min, max}
		}
	}
	if rest, ok := strings.CutPrefix(s, "="); ok {
		return enum(strings.Split(rest, "|"))
	}
	panic("zebos: unknown argument kind " + s)
}
