package diag_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/google/go-cmp/cmp"
)

func at(file string, line, from, to int) *diag.Range {
	return &diag.Range{File: file, Start: diag.Pos{Line: line, Column: from}, End: diag.Pos{Line: line, Column: to}}
}

func TestRender(t *testing.T) {
	for _, test := range []struct {
		name    string
		problem diag.Problem
		want    string
	}{
		{"full", diag.Problem{Summary: "wrong", Detail: "Because.\nAnd so.", Fix: "do this", At: at("a.hcl", 12, 3, 6), Source: "  abc = 1"},
			"a.hcl:12:3: error: wrong\n  12 |   abc = 1\n     |   ^^^\n  Because.\n  And so.\n  fix: do this\n"},
		{"tabs stay tabs", diag.Problem{Summary: "wrong", At: at("a.hcl", 1, 3, 5), Source: "\t\tab"},
			"a.hcl:1:3: error: wrong\n  1 | \t\tab\n    | \t\t^^\n"},
		{"combining characters take no column", diag.Problem{Summary: "wrong", At: at("a.hcl", 1, 3, 4), Source: "e\u0301\tb"},
			"a.hcl:1:3: error: wrong\n  1 | e\u0301\tb\n    |  \t^\n"},
		{"several lines", diag.Problem{Summary: "wrong", At: &diag.Range{File: "a.hcl", Start: diag.Pos{Line: 1, Column: 3}, End: diag.Pos{Line: 4, Column: 2}}, Source: "a {  "},
			"a.hcl:1:3: error: wrong\n  1 | a {  \n    |   ^\n"},
		{"end of the line", diag.Problem{Summary: "wrong", At: at("a.hcl", 1, 4, 4), Source: "abc"},
			"a.hcl:1:4: error: wrong\n  1 | abc\n    |    ^\n"},
		{"beyond the line", diag.Problem{Summary: "wrong", At: at("a.hcl", 1, 40, 50), Source: "abc"},
			"a.hcl:1:40: error: wrong\n  1 | abc\n    |    ^\n"},
		{"no source", diag.Problem{Summary: "wrong", At: at("a.hcl", 1, 1, 2)}, "a.hcl:1:1: error: wrong\n"},
		{"whole file", diag.Problem{Summary: "wrong", At: &diag.Range{File: "a.hcl"}}, "a.hcl: error: wrong\n"},
		{"host", diag.Problem{Summary: "slow", Host: "web-1", Severity: diag.Warning, Fix: "wait"}, "web-1: warning: slow\n  fix: wait\n"},
		{"nowhere", diag.Problem{Summary: "wrong"}, "error: wrong\n"},
		{"no control of the terminal", diag.Problem{Summary: "\x1b[2Jwrong", At: at("a.hcl", 1, 1, 2), Source: "\x1b]0;x\x07", Fix: "\r"},
			"a.hcl:1:1: error: \uFFFD[2Jwrong\n  1 | \uFFFD]0;x\uFFFD\n    | ^\n  fix: \uFFFD\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := (diag.Problems{test.problem}).Render(&b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, b.String()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestSort(t *testing.T) {
	ps := diag.Problems{
		{Summary: "nowhere 1"},
		{Summary: "b", At: at("b", 1, 1, 1)},
		{Summary: "a:10", At: at("a", 10, 1, 1)},
		{Summary: "nowhere 2"},
		{Summary: "a:2:7", At: at("a", 2, 7, 7)},
		{Summary: "a:2:3 first", At: at("a", 2, 3, 3)},
		{Summary: "a:2:3 second", At: at("a", 2, 3, 9)},
	}
	ps.Sort()
	var got []string
	for _, p := range ps {
		got = append(got, p.Summary)
	}
	want := []string{"a:2:3 first", "a:2:3 second", "a:2:7", "a:10", "b", "nowhere 1", "nowhere 2"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestErr(t *testing.T) {
	warning := diag.Problem{Summary: "odd", Severity: diag.Warning}
	if err := (diag.Problems{warning}).Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
	if err := diag.Problems(nil).Err(); err != nil {
		t.Errorf("nothing is an error: %v", err)
	}
	err := diag.Problems{warning, {Summary: "gone", At: at("a", 1, 2, 2), Err: fs.ErrNotExist}}.Err()
	if err == nil || err.Error() != "warning: odd\na:1:2: error: gone" {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
	var p diag.Problem
	if !errors.As(err, &p) || p.Summary != "odd" {
		t.Errorf("the problems are lost: %+v", p)
	}
}
