package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/report"
)

// What is closed takes back all that it drew, however short it was.
func TestAClosedBoardIsTakenBack(t *testing.T) {
	var out bytes.Buffer
	b := hostsBoard(noon, "looked at", []string{"n1", "n2"})
	l := newLive(&Screen{out: &out, size: func() (int, int) { return 80, 24 }}, b)
	l.event(report.Event{Time: noon, Kind: report.HostStarted, Host: "n1"}, "")
	time.Sleep(2*redraw + redraw/2)
	l.close()
	text := out.String()
	if !strings.Contains(text, "0 of 2 hosts looked at") || !strings.HasSuffix(text, "\x1b[3A\x1b[J") {
		t.Errorf("%q", text)
	}
}
