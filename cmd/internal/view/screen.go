package view

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/vbauerster/cupwriter"

	"github.com/droverctl/drover/provision/report"
)

// Screen is a terminal that can be drawn on.
type Screen struct {
	out   io.Writer
	size  func() (width, height int)
	color bool
}

// NewScreen is the terminal behind w, nil when there is none, or one that does not
// move its cursor.
func NewScreen(w io.Writer, getenv func(string) string) *Screen {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	c := cupwriter.New(f, false)
	if term := getenv("TERM"); !c.IsTerminal() || term == "" || term == "dumb" {
		return nil
	}
	return &Screen{out: f, color: getenv("NO_COLOR") == "", size: func() (int, int) {
		width, height, err := c.GetTermSize()
		if err != nil || width <= 0 || height <= 0 { // as on a serial line
			return 80, 24
		}
		return width, height
	}}
}

// redraw is how often a screen is drawn anew.
const redraw = 200 * time.Millisecond

// live is a board that is drawn in the last lines of a screen, below what is
// written for good.
type live struct {
	screen *Screen
	writer *cupwriter.Writer
	halt   chan struct{}
	ended  sync.WaitGroup

	mu     sync.Mutex
	board  *board
	lines  string // to be written above the board
	drawn  []string
	aside  int // how many want the screen for themselves
	closed bool
}

func newLive(s *Screen, b *board) *live {
	l := &live{screen: s, writer: cupwriter.New(s.out, true), board: b, halt: make(chan struct{})}
	l.ended.Go(l.loop)
	return l
}

func (l *live) loop() {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-l.halt:
			return
		case now := <-tick.C:
			width, height := l.screen.size()
			l.mu.Lock()
			if l.aside == 0 {
				l.draw(l.board.frame(now, width, height, l.screen.color), width)
			}
			l.mu.Unlock()
		}
	}
}

func (l *live) event(e report.Event, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.board.event(e)
	l.lines += text
}

// step takes the board back (1), to leave the screen to somebody else, or lets it
// be drawn again (-1).
func (l *live) step(aside int) {
	width, _ := l.screen.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.aside += aside; l.aside == 1 && aside > 0 {
		l.draw(nil, width)
	}
}

// close replaces the board by a summary.
func (l *live) close() {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return
	}
	close(l.halt)
	l.ended.Wait()
	width, _ := l.screen.size()
	for _, line := range l.board.summary(time.Now(), width) {
		l.lines += line + "\n"
	}
	l.draw(nil, width)
}

// draw writes what is due for good, and the board below it. A screen that has
// become narrower since has wrapped the last board, which then takes more lines
// than the writer knows of.
func (l *live) draw(frame []string, width int) {
	wrapped := 0
	for _, line := range l.drawn {
		wrapped += max(0, ansi.StringWidth(line)-1) / width
	}
	if wrapped > 0 {
		l.writer.WriteString(ansi.CursorUp(wrapped) + ansi.EraseScreenBelow)
	}
	l.writer.WriteString(l.lines)
	for _, line := range frame {
		l.writer.WriteString(line + "\n")
	}
	l.lines, l.drawn = "", frame
	// Where a terminal is gone, the run goes on.
	if err := l.writer.Flush(len(frame)); err != nil {
		l.writer.Reset()
	}
}
