package view

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func pendingOn(hosts ...string) []plan.Change {
	var out []plan.Change
	for _, h := range hosts {
		for _, name := range []string{"a.service", "b.service", "c.service"} {
			out = append(out, plan.Change{Item: plan.Item{ID: plan.NewID(h, "unit", name)}, Action: plan.Create})
		}
	}
	return out
}

func at(s int, kind report.Kind, host, name string) report.Event {
	return report.Event{Time: noon.Add(time.Duration(s) * time.Second), Kind: kind, ID: plan.NewID(host, "unit", name)}
}

func TestABoardShowsWhatEachHostIsAt(t *testing.T) {
	b := changesBoard(noon, pendingOn("m1", "n1", "n2", "n3", plan.ClusterHost))
	failed := at(3, report.Failed, "n2", "a.service")
	failed.Err = errors.New("no")
	waiting := at(4, report.Waiting, "m1", "b.service")
	waiting.Text = "to be active\nsecond line"
	for _, e := range []report.Event{
		at(0, report.Started, "m1", "a.service"), at(1, report.Started, "m1", "b.service"), at(2, report.Done, "m1", "a.service"), waiting,
		at(2, report.Started, "m1", "c.service"), at(0, report.Started, "n2", "a.service"), failed,
		at(3, report.Skipped, "n2", "b.service"), at(3, report.Skipped, "n2", "c.service"),
		at(0, report.Done, "n3", "a.service"), at(0, report.Done, "n3", "b.service"), at(0, report.Done, "n3", "c.service"),
	} {
		b.event(e)
	}
	now := noon.Add(65 * time.Second)
	want := `   65.0s  7 of 15 changes, 1 failed  [###########--------------]
  m1       1/3  (+1) unit:b.service 1m4s  waiting: to be active
  n1       0/3  waiting for others
  n2       0/3  FAILED: unit:a.service
  n3       3/3  done
  cluster  0/3  waiting for others`
	if d := cmp.Diff(want, strings.Join(b.frame(now, 65, 24, false), "\n")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	want = `   65.0s  7 of 15 changes, 1 failed  [###########--------------]
  m1  1/3  (+1) unit:b.service 1m4s  waiting: to be active
  4 hosts: 1 at work, 1 done, 1 failed, 1 waiting`
	if d := cmp.Diff(want, strings.Join(b.frame(now, 65, 7, false), "\n")); d != "" {
		t.Errorf("where not all fit: -want +got:\n%s", d)
	}
	want = `  m1       1/3  (+1) unit:b.service 1m4s  waiting: to be active
  n1       0/3  waiting for others
  n2       0/3  FAILED: unit:a.service
  n3       3/3  done
  cluster  0/3  waiting for others`
	if d := cmp.Diff(want, strings.Join(b.summary(now, 65), "\n")); d != "" {
		t.Errorf("summary: -want +got:\n%s", d)
	}
}

// Whatever the fleet, the screen and what goes on: no line is wider and no board
// higher than the screen, and colors change no letter.
func TestABoardFitsAnyScreen(t *testing.T) {
	kinds := []report.Kind{report.Started, report.Waiting, report.Done, report.Failed, report.Cut, report.Skipped, report.Stopping, report.HostStarted, report.HostDone}
	rapid.Check(t, func(t *rapid.T) {
		var hosts []string
		for n := range rapid.IntRange(1, 60).Draw(t, "hosts") {
			hosts = append(hosts, fmt.Sprintf("%s-%d", rapid.SampledFrom([]string{"n", "kube-node.with.a.long.name.example.net", "Knoten-ü-主"}).Draw(t, "name"), n))
		}
		b := changesBoard(noon, pendingOn(hosts...))
		if rapid.Bool().Draw(t, "whole") {
			b = hostsBoard(noon, "looked at", hosts)
		}
		for range rapid.IntRange(0, 100).Draw(t, "events") {
			e := at(1, rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.SampledFrom(hosts).Draw(t, "host"), "a.service")
			e.Text = strings.Repeat("很长 text ", 40)
			b.event(e)
		}
		width, height := rapid.IntRange(1, 250).Draw(t, "width"), rapid.IntRange(1, 80).Draw(t, "height")
		lines := b.frame(noon.Add(time.Hour), width, height, false)
		if len(lines) > max(1, height-1) {
			t.Fatalf("%d lines on a screen of %d", len(lines), height)
		}
		for _, line := range append(lines, b.summary(noon, width)...) {
			if w := ansi.StringWidth(line); w > max(1, width-1) {
				t.Fatalf("%d columns on a screen of %d: %q", w, width, line)
			}
		}
		colored := b.frame(noon.Add(time.Hour), width, height, true)
		if got := ansi.Strip(strings.Join(colored, "\n")); got != strings.Join(lines, "\n") {
			t.Fatalf("with colors:\n%s\nwithout:\n%s", got, strings.Join(lines, "\n"))
		}
	})
}
