package provision

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As few waves as the order lets there be, each no larger than fits; one, of all, when
// somebody does not fit even alone, so that he is objected to before anything is begun.
func TestWaves(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	atMost := func(n int) func([]string) bool { return func(wave []string) bool { return len(wave) <= n } }
	for _, test := range []struct {
		name string
		fit  func([]string) bool
		want [][]string
	}{
		{"all at once", atMost(5), [][]string{names}},
		{"two at a time", atMost(2), [][]string{{"a", "b"}, {"c", "d"}, {"e"}}},
		{"one after the other", atMost(1), [][]string{{"a"}, {"b"}, {"c"}, {"d"}, {"e"}}},
		{"one does not fit", func(wave []string) bool { return len(wave) == 1 && wave[0] != "d" }, [][]string{names}},
	} {
		if diff := cmp.Diff(test.want, waves(names, test.fit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
