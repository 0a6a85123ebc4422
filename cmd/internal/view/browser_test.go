package view_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browser is a real one, which is spoken to through pipes: it listens nowhere.
type browser struct {
	t        *testing.T
	to       *os.File
	from     *bufio.Reader
	session  string
	last     int
	requests []string // that were to be made since the last look at a page
}

// message is of the Chrome DevTools Protocol.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// limitOfBrowser is how long all of a test's talk with a browser may take: it may have
// to share a processor with much else.
const limitOfBrowser = 3 * time.Minute

func startBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real browser: not with -short")
	}
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser is installed: Debian has one in chromium-headless-shell, which .ci/tools installs as root")
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	c.ExtraFiles = []*os.File{inR, outW} // it reads from 3 and writes to 4
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(limitOfBrowser, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	_, _ = inR.Close(), outW.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // its children as well; it has nothing to save
		_ = c.Wait()
		if !late.Stop() {
			t.Errorf("the browser was not done in %s", limitOfBrowser)
		}
		_, _ = inW.Close(), outR.Close()
		if t.Failed() {
			t.Logf("%s: %s", path, log.String())
		}
	})
	b := &browser{t: t, to: inW, from: bufio.NewReader(outR)}
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call("Network.enable", nil, nil)
	b.call("Page.enable", nil, nil)
	return b
}

// next is what the browser says next.
func (b *browser) next() message {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser went: %v", err)
	}
	var m struct {
		message
		Params struct {
			Request struct{ URL string }
		} `json:"params"`
	}
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method == "Network.requestWillBeSent" {
		b.requests = append(b.requests, m.Params.Request.URL)
	}
	return m.message
}

func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.last++
	text, err := json.Marshal(message{ID: b.last, SessionID: b.session, Method: method, Params: params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next()
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// sight is how a page is looked at.
type sight struct {
	media, scheme string
	width         int
}

func (s sight) String() string { return fmt.Sprintf("%s-%s-%d", s.media, s.scheme, s.width) }

// open shows a page, once all that it asks for is there.
func (b *browser) open(page []byte, s sight) (url string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": s.width, "height": 900, "deviceScaleFactor": 1, "mobile": s.width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"media": s.media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": s.scheme}},
	}, nil)
	b.requests = nil
	url = "file://" + file
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for b.next().Method != "Page.loadEventFired" {
	}
	return url
}

// measure evaluates a script that returns a list of texts.
func (b *browser) measure(script string) []string {
	b.t.Helper()
	var out struct {
		Result           struct{ Value []string }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s", out.ExceptionDetails)
	}
	return out.Result.Value
}

// shoot keeps a picture of the whole page, for `go test -artifacts`.
func (b *browser) shoot(name string) {
	b.t.Helper()
	if f := flag.Lookup("test.artifacts"); f == nil || f.Value.String() != "true" {
		return // it takes seconds
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// unreadable lists what of a page cannot be read: what is clipped, hangs over, scrolls
// aside, is small or is faint.
const unreadable = `(() => {
  const bad = [], width = document.documentElement.clientWidth;
  const name = e => '<' + e.tagName + ' class=' + e.getAttribute('class') + '> ' + e.textContent.trim().slice(0, 40);
  if (innerWidth !== WIDTH) bad.push('the window is ' + innerWidth + ' wide');
  if (document.documentElement.scrollWidth > width) bad.push('scrolls aside: ' + document.documentElement.scrollWidth + ' of ' + width);
  for (const e of document.body.querySelectorAll('*')) {
    const r = e.getBoundingClientRect();
    if (r.right > width + 0.5 || r.left < -0.5) bad.push('hangs over: ' + name(e));
    if (e instanceof HTMLElement && e.clientWidth > 0 && (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight + 1)) bad.push('is clipped: ' + name(e));
    if (e.tagName === 'svg' && (r.width < 100 || r.height < 8)) bad.push('is no bar: ' + name(e));
  }
  const numbers = color => color.match(/[\d.]+/g).map(Number);
  const light = color => {
    const [r, g, b] = numbers(color).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    const canvas = document.createElement('p');
    canvas.style.backgroundColor = 'Canvas';
    document.documentElement.append(canvas);
    const color = getComputedStyle(canvas).backgroundColor;
    canvas.remove();
    return color;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  for (let n = texts.nextNode(); n; n = texts.nextNode()) {
    if (!n.data.trim()) continue;
    seen++;
    const e = n.parentElement, style = getComputedStyle(e), card = e.closest('.card, .verdict');
    if (style.visibility !== 'visible' || style.opacity !== '1') bad.push('is hidden: ' + name(e));
    if (parseFloat(style.fontSize) < LEAST) bad.push(style.fontSize + ' is small: ' + name(e));
    const [a, b] = [light(style.color), light(behind(e))].sort((a, b) => b - a);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push('is faint: ' + name(e));
    const range = document.createRange();
    range.selectNodeContents(n);
    for (const r of range.getClientRects()) {
      const within = card ? card.getBoundingClientRect() : document.body.getBoundingClientRect();
      if (r.right > within.right + 0.5 || r.left < within.left - 0.5 || r.bottom > within.bottom + 0.5) bad.push('leaves its place: ' + name(e));
    }
  }
  if (!seen) bad.push('says nothing');
  return bad;
})()`

func (b *browser) unreadable(s sight) []string {
	b.t.Helper()
	least := "14"
	if s.media == "print" {
		least = "12"
	}
	return b.measure(strings.NewReplacer("WIDTH", fmt.Sprint(s.width), "LEAST", least).Replace(unreadable))
}

func sights() []sight {
	return []sight{
		{"screen", "light", 1280}, {"screen", "dark", 1280}, {"screen", "light", 400}, {"screen", "dark", 400},
		{"screen", "light", 800}, {"screen", "light", 810}, {"print", "light", 720}, {"print", "dark", 720},
	}
}

// In a real browser, all of the page can be read, and it asks for nothing.
func TestCapacityHTMLInABrowser(t *testing.T) {
	b := startBrowser(t)
	text := page(t, capacityOf())
	for _, s := range sights() {
		url := b.open(text, s)
		for _, bad := range b.unreadable(s) {
			t.Errorf("%s: %s", s, bad)
		}
		if len(b.requests) != 1 || b.requests[0] != url {
			t.Errorf("%s: asked for %q", s, b.requests)
		}
		b.shoot(s.String())
	}
}

// The test above could not fail if these went unnoticed.
func TestWhatABrowserFindsUnreadable(t *testing.T) {
	b := startBrowser(t)
	text := string(page(t, capacityOf()))
	narrow := sight{"screen", "light", 400}
	for want, style := range map[string]string{
		"scrolls aside":     "main { width: 900px; }",
		"hangs over":        ".verdict { position: absolute; left: 300px; width: 300px; }",
		"is clipped":        ".facts dd { height: 1rem; overflow: hidden; }",
		"is small":          ".domain p { font-size: 11px; }",
		"is faint":          ":root { --dim: #bbbbbb; }",
		"is hidden":         ".on { visibility: hidden; }",
		"is no bar":         ".bar svg { width: 20px; }",
		"leaves its place":  ".facts b { position: relative; left: -60px; }",
		"the window is 500": "",
	} {
		s := narrow
		broken := strings.Replace(text, "</style>", style+"</style>", 1)
		b.open([]byte(broken), s)
		if style == "" {
			b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 500, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
		}
		if found := strings.Join(b.unreadable(s), "\n"); !strings.Contains(found, want) {
			t.Errorf("with %q nothing %s:\n%s", style, want, found)
		}
	}
	asking := strings.Replace(text, "<main>", `<main><img alt="x" src="http://other.example/x.png">`, 1)
	asking = strings.Replace(asking, `http-equiv="Content-Security-Policy"`, `name="x"`, 1)
	if b.open([]byte(asking), narrow); len(b.requests) != 2 {
		t.Errorf("asked for %q", b.requests)
	}
}
