package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// terminal is a tmux with one window.
type terminal struct {
	t            *testing.T
	socket, conf string
}

func (x terminal) tmux(args ...string) string {
	x.t.Helper()
	c := exec.Command("tmux", append([]string{"-S", x.socket, "-f", x.conf}, args...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// record runs a command in a terminal and returns what the screen showed, at every
// look that differs, and at last all that was ever written, with its colors.
func record(t *testing.T, width, height int, c *exec.Cmd) (frames []string, all string) {
	t.Helper()
	dir := t.TempDir()
	x := terminal{t, filepath.Join(dir, "tmux"), filepath.Join(dir, "tmux.conf")}
	// From the beginning: a status line that goes away later is another size of screen.
	if err := os.WriteFile(x.conf, []byte("set-option -g status off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := filepath.Join(dir, "ended")
	var line strings.Builder
	// As below a shell's prompt: what is erased from a screen's first line on, tmux
	// keeps in its history.
	line.WriteString("echo '$ drover'; env -i")
	for _, word := range append(append([]string{}, c.Env...), c.Args...) {
		line.WriteString(" " + host.Quote(word))
	}
	fmt.Fprintf(&line, "; echo $? > %s; sleep 600", host.Quote(ended))
	x.tmux("new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), line.String())
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	for deadline := time.Now().Add(limitOfRun); ; time.Sleep(50 * time.Millisecond) {
		frame := x.tmux("capture-pane", "-p", "-J") // lines that were wrapped are joined again
		if len(frames) == 0 || frames[len(frames)-1] != frame {
			frames = append(frames, frame)
		}
		if _, err := os.Stat(ended); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no end within %s; the screen shows:\n%s", limitOfRun, frame)
		}
	}
	return append(frames, x.tmux("capture-pane", "-p", "-J")), x.tmux("capture-pane", "-p", "-J", "-e", "-S", "-")
}

// slowly makes machines take their time, so that there is something to see.
func (f *fleet) slowly() {
	for n, m := range f.machines {
		pace := time.Duration(400+n%7*100) * time.Millisecond
		m.Precede("drover-write-files", func(*hosttest.State, hosttest.Call) { time.Sleep(pace) })
	}
}

var (
	board   = regexp.MustCompile(`[0-9.]+s  \d+ of \d+ changes`)
	head    = regexp.MustCompile(`^ *[0-9.]+s  (\d+) of (\d+) changes`)
	looking = regexp.MustCompile(`^ *[0-9.]+s  \d+ of (\d+) hosts looked at`)
	colors  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	others  = regexp.MustCompile(`^  \d+ hosts: \d+ at work`)
	atWork  = regexp.MustCompile(`^  kube-(master|node)-\d+ +\d+/\d+  .*\d+s`)
)

// What an operator sees: one board that is redrawn in its place, no wider and no
// higher than the screen, whatever the fleet; and a summary at the end.
func TestTheTerminalViewIsReadable(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux")
	}
	for _, test := range []struct{ hosts, width, height int }{{5, 80, 24}, {5, 200, 50}, {200, 80, 24}, {200, 200, 50}} {
		t.Run(fmt.Sprintf("%d hosts at %d columns", test.hosts, test.width), func(t *testing.T) {
			if test.hosts > 100 && testing.Short() {
				t.Skip("200 hosts take half a minute")
			}
			f := newFleet(t, test.hosts, hosttest.Config{}, rootUser, "")
			f.slowly()
			c := f.drover(t, "apply", "--auto-approve")
			c.Env = append(c.Env, "TERM=xterm-256color")
			frames, all := record(t, test.width, test.height, c)
			boards, busy := 0, 0
			var torn []string
			for _, frame := range frames {
				lines := strings.Split(strings.TrimRight(frame, "\n"), "\n")
				heads, hosts := 0, 0
				for _, line := range lines {
					if m := head.FindStringSubmatch(line); m != nil || looking.MatchString(line) {
						heads++
					}
					if atWork.MatchString(line) {
						hosts++
						if utf8.RuneCountInString(line) >= test.width {
							t.Fatalf("wider than %d columns: %q\n%s", test.width, line, frame)
						}
					}
					if strings.ContainsAny(line, "\x1b\r") || strings.Contains(line, "[3") || strings.Contains(line, "[m") {
						t.Fatalf("an escape code is on the screen: %q", line)
					}
				}
				if heads > 1 {
					t.Fatalf("two boards:\n%s", frame)
				}
				boards += heads
				busy = max(busy, hosts)
				switch { // a frame may be caught while it is drawn
				case hosts > 0 && heads == 0:
					torn = append(torn, "a board higher than the screen:\n"+frame)
				case test.hosts > test.height && hosts > 0 && !others.MatchString(lines[len(lines)-1]):
					torn = append(torn, "no word of the hosts that have no line:\n"+frame)
				}
			}
			if len(torn)*4 > boards {
				t.Errorf("%d of %d boards are not whole, as this one: %s", len(torn), boards, torn[0])
			}
			if boards < 3 || busy < min(3, test.hosts) {
				t.Errorf("%d boards, %d hosts at work: nothing to see\n%s", boards, busy, strings.Join(frames, "----\n"))
			}
			text := colors.ReplaceAllString(all, "")
			for line := range strings.Lines(text) {
				if head.MatchString(line) || looking.MatchString(line) {
					t.Errorf("a board is left: %s", line)
				}
			}
			// The machines are fakes on which no cluster comes up.
			if !strings.Contains(text, "\nnot done: of ") {
				t.Errorf("no summary:\n%s", frames[len(frames)-1])
			}
			if summed := strings.Contains(text, fmt.Sprintf("\n  %d hosts: 0 done, %d not\n", test.hosts, test.hosts)); summed != (test.hosts > 20) {
				t.Errorf("summary of all hosts: %v\n%s", summed, frames[len(frames)-1])
			}
			t.Logf("a board of %d hosts at %dx%d:\n%s", test.hosts, test.width, test.height, frames[len(frames)/2])
		})
	}
}

// Where the operator wants no colors there are none, and where a terminal cannot
// be drawn on there are plain lines; off a terminal there is never an escape code.
func TestTerminalsThatWantLess(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux")
	}
	for _, test := range []struct {
		name, env   string
		live, color bool
	}{{"colors", "TERM=xterm-256color", true, true}, {"NO_COLOR", "NO_COLOR=1", true, false}, {"dumb", "TERM=dumb", false, false}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFleet(t, 2, hosttest.Config{}, rootUser, "")
			f.slowly()
			// One has failed, in red, long before the other ends.
			f.machines[1].Inject(hosttest.Fault{Match: "drover-write-files", Do: hosttest.Fail, Exit: 1, Stderr: "mv: cannot move"})
			c := f.drover(t, "apply", "--auto-approve")
			c.Env = append(c.Env, "TERM=xterm-256color", test.env)
			written := recordRaw(t, c)
			if got := board.MatchString(colors.ReplaceAllString(written, "")); got != test.live {
				t.Errorf("a board: %v", got)
			}
			if got := colors.MatchString(written); got != test.color {
				t.Errorf("colors: %v\n%q", got, written[max(0, len(written)-6000):])
			}
			if got := strings.Contains(written, "\x1b"); got != test.live {
				t.Errorf("escape codes: %v", got)
			}
		})
	}
	f := newFleet(t, 2, hosttest.Config{}, rootUser, "")
	c := f.drover(t, "apply", "--auto-approve")
	c.Env = append(c.Env, "TERM=xterm-256color")
	out, _ := c.CombinedOutput()
	if strings.Contains(string(out), "\x1b") || !strings.Contains(string(out), "not done: of ") {
		t.Errorf("off a terminal:\n%q", out)
	}
}

// recordRaw runs a command in a small terminal and returns all bytes it wrote,
// also those that no look at the screen would have been quick enough for.
func recordRaw(t *testing.T, c *exec.Cmd) (written string) {
	t.Helper()
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("there is no script(1)")
	}
	raw := filepath.Join(t.TempDir(), "raw")
	var line strings.Builder
	for _, word := range c.Args {
		line.WriteString(" " + host.Quote(word))
	}
	env := c.Env
	c = exec.Command("script", "-q", "-e", "-c", "exec"+line.String(), raw)
	c.Env = env
	record(t, 100, 30, c)
	text, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
