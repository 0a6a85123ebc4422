package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/droverctl/drover/inventory/diag"
)

// Encode is the plan's JSON form, which Decode reads.
func (p Plan) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(p)
	return b.Bytes(), err
}

// Decode reads a plan's JSON form and nothing else. It does not use the json
// package's own way into structs: that passes over what is missing, there twice,
// or spelled otherwise, and takes null for anything.
func Decode(content []byte) (Plan, error) {
	var p Plan
	if err := checkVersion(content); err != nil {
		return p, err
	}
	err := object(content, []field{
		{"schema_version", true, number(&p.SchemaVersion)},
		{"cluster", true, text(&p.Cluster)},
		{"standing", true, text(&p.Standing)},
		{"uid", false, text(&p.UID)},
		{"changes", true, func(raw []byte) (err error) {
			p.Changes, err = list(raw, change)
			return err
		}},
		{"by_hand", false, func(raw []byte) (err error) {
			p.ByHand, err = list(raw, byHand)
			return err
		}},
	})
	if err != nil {
		return Plan{}, err
	}
	seen := map[ID]int{}
	for i, c := range p.Changes {
		if first, twice := seen[c.ID]; twice {
			return Plan{}, fmt.Errorf("changes[%d].id: %s is there twice, first in changes[%d]", i, c.ID, first)
		}
		seen[c.ID] = i
	}
	return p, nil
}

// checkVersion comes first: what another version has is not a mistake there.
func checkVersion(content []byte) error {
	var head struct {
		SchemaVersion *int `json:"schema_version"`
	}
	err := json.Unmarshal(content, &head)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
		return fmt.Errorf("line %d: %w", line, err)
	case err != nil, head.SchemaVersion == nil:
		return errors.New("it has no schema_version that is a number: is it a plan?")
	case *head.SchemaVersion != SchemaVersion:
		return fmt.Errorf("schema_version is %d: this drover reads %d", *head.SchemaVersion, SchemaVersion)
	}
	return nil
}

// change reads one change. Once its ID is known, errors tell it.
func change(raw []byte) (c Change, err error) {
	err = object(raw, []field{
		{"id", true, id(&c.ID)},
		{"needs", false, ids(&c.Needs)},
		{"triggers", false, ids(&c.Triggers)},
		{"tells", false, ids(&c.Tells)},
		{"serial", false, text(&c.Serial)},
		{"want", true, state(&c.Want)},
		{"content", false, text(&c.Content)},
		{"condition", false, boolean(&c.Condition)},
		{"at", false, place(&c.At)},
		{"action", true, action(&c.Action)},
		{"reason", false, text(&c.Reason)},
		{"before", true, state(&c.Before)},
	})
	if err != nil && c.ID != "" {
		err = told(c.ID, err)
	}
	return c, err
}

// byHand reads one BIG-IP that somebody else configures.
func byHand(raw []byte) (b ByHand, err error) {
	var wait int
	err = object(raw, []field{
		{"bigip", true, text(&b.BigIP)},
		{"up", true, texts(&b.Up)},
		{"missing", true, texts(&b.Missing)},
		{"enter", true, texts(&b.Enter)},
		{"wait_seconds", true, number(&wait)},
	})
	b.WaitSeconds = int64(wait)
	return b, err
}

func texts(to *[]string) func([]byte) error {
	return func(raw []byte) (err error) {
		*to, err = list(raw, func(raw []byte) (s string, err error) {
			err = text(&s)(raw)
			return s, err
		})
		return err
	}
}

// placed is an error with its place, as in changes[3].want.mode.
type placed struct {
	place string
	err   error
}

func (p *placed) Error() string { return p.place + ": " + p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// at puts a step of the way before an error's place.
func at(step string, err error) error {
	p, ok := err.(*placed)
	switch {
	case !ok:
		return &placed{step, err}
	case strings.HasPrefix(p.place, "["):
		return &placed{step + p.place, p.err}
	}
	return &placed{step + "." + p.place, p.err}
}

// told tells whose an error is, behind its place.
func told(id ID, err error) error {
	if p, ok := err.(*placed); ok {
		return &placed{p.place, fmt.Errorf("%s: %w", id, p.err)}
	}
	return fmt.Errorf("%s: %w", id, err)
}

// field is one field of an object and how it is read.
type field struct {
	name     string
	required bool
	read     func(raw []byte) error
}

// object reads an object of exactly these fields.
func object(raw []byte, fields []field) error {
	missing := slices.Clone(fields)
	err := each(raw, func(name string, value []byte) error {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return errors.New("there is no such field")
		}
		missing = slices.DeleteFunc(missing, func(f field) bool { return f.name == name })
		return fields[i].read(value)
	})
	if err != nil {
		return err
	}
	for _, f := range missing {
		if f.required {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	return nil
}

// each walks an object of any fields, each there once.
func each(raw []byte, read func(name string, value []byte) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("want an object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // it can be nothing else there
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if seen[name] {
			return at(plain(name), errors.New("is there twice"))
		}
		seen[name] = true
		if err := read(name, value); err != nil {
			return at(plain(name), err)
		}
	}
	return nil
}

func list[T any](raw []byte, read func([]byte) (T, error)) ([]T, error) {
	if !bytes.HasPrefix(raw, []byte("[")) {
		return nil, errors.New("want a list")
	}
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	out := make([]T, len(values))
	for i, v := range values {
		var err error
		if out[i], err = read(v); err != nil {
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return out, nil
}

func text(to *string) func([]byte) error {
	return func(raw []byte) error {
		if !bytes.HasPrefix(raw, []byte(`"`)) {
			return errors.New("want a text")
		}
		return json.Unmarshal(raw, to)
	}
}

func boolean(to *bool) func([]byte) error {
	return func(raw []byte) error {
		switch string(raw) {
		case "true", "false":
			*to = string(raw) == "true"
			return nil
		}
		return errors.New("want true or false")
	}
}

// id reads an ID of a host and what is there, in letters that can be shown.
func id(to *ID) func([]byte) error {
	return func(raw []byte) error {
		var s string
		if err := text(&s)(raw); err != nil {
			return err
		}
		kind, name, _ := strings.Cut(ID(s).What(), ":")
		if ID(s).Host() == "" || kind == "" || name == "" || plain(s) != s {
			return fmt.Errorf("%q is no ID: want one like node/file:/etc/hosts", s)
		}
		*to = ID(s)
		return nil
	}
}

func ids(to *[]ID) func([]byte) error {
	return func(raw []byte) error {
		read, err := list(raw, func(raw []byte) (i ID, err error) {
			err = id(&i)(raw)
			return i, err
		})
		if len(read) > 0 { // an empty list is written as none
			*to = read
		}
		return err
	}
}

func action(to *Action) func([]byte) error {
	return func(raw []byte) error {
		var s string
		if err := text(&s)(raw); err != nil {
			return err
		}
		all := []Action{NoOp, Create, Update, Restart, Delete}
		if !slices.Contains(all, Action(s)) {
			return fmt.Errorf("%q is no action: want one of %q", s, all)
		}
		*to = Action(s)
		return nil
	}
}

// state reads a state: null is absent, which {} is not.
func state(to *State) func([]byte) error {
	return func(raw []byte) error {
		if string(raw) == "null" {
			*to = nil
			return nil
		}
		s := State{}
		err := each(raw, func(name string, value []byte) error {
			var word string
			err := text(&word)(value)
			s[name] = word
			return err
		})
		*to = s
		return err
	}
}

func place(to **diag.Range) func([]byte) error {
	return func(raw []byte) error {
		r := &diag.Range{}
		*to = r
		return object(raw, []field{{"File", true, text(&r.File)}, {"Start", true, position(&r.Start)}, {"End", true, position(&r.End)}})
	}
}

func position(to *diag.Pos) func([]byte) error {
	return func(raw []byte) error {
		return object(raw, []field{{"Line", true, number(&to.Line)}, {"Column", true, number(&to.Column)}})
	}
}

func number(to *int) func([]byte) error {
	return func(raw []byte) error {
		if string(raw) == "null" || json.Unmarshal(raw, to) != nil {
			return errors.New("want a number")
		}
		return nil
	}
}

// plain quotes what does not belong on a terminal.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}
