package report

import (
	"testing"
	"time"
)

// Times are one zone's and one precision's, so that they sort as text.
func TestTimesAreUTC(t *testing.T) {
	at := time.Date(2026, 8, 1, 1, 0, 0, 123456789, time.FixedZone("CEST", 7200))
	got := string(Event{Time: at, Kind: Note, Text: "x"}.JSON(func(s string) string { return s + "!" }))
	if want := `{"schema_version":1,"time":"2026-07-31T23:00:00.123456Z","kind":"note","text":"x!"}` + "\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
