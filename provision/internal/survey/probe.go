package survey

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/pki"
)

//go:embed survey.sh
var script string

//go:embed listeners.sh
var listenersScript string

// ListenersScript defines the shell function listeners, whose output ParseListeners
// reads.
func ListenersScript() string { return listenersScript }

// marker begins a section's line. It is long enough not to be met by chance.
const marker = "@@drover-survey@@ "

// Scope is what to look for besides what every host has.
type Scope struct {
	Commands []string // programs it may have
	Units    []string // units it may have
	Names    []string // that it should find addresses for
}

// Script is the shell script that looks.
func (s Scope) Script() string {
	var b strings.Builder
	b.WriteString("# drover survey\necho\nexport LC_ALL=C\nPATH=$PATH:/usr/sbin:/sbin\n") // an sh may have begun a line
	for _, v := range []struct {
		name  string
		words []string
	}{{"commands", s.Commands}, {"units", s.Units}, {"names", s.Names}, {"authorities", authorities()}} {
		fmt.Fprintf(&b, "%s=%s\n", v.name, host.Quote(strings.Join(v.words, " ")))
	}
	fmt.Fprintf(&b, "marker=%s\n%s%s", host.Quote(marker), listenersScript, script)
	return b.String()
}

// authorities are where masters have the certificates of the cluster's.
func authorities() []string {
	var paths []string
	for _, ca := range pki.CAs() {
		paths = append(paths, ca.Cert.Path)
	}
	return paths
}

// Probe looks at a host. now is the clock that the host's is compared with.
func Probe(ctx context.Context, h host.Reader, s Scope, now func() time.Time) (Facts, error) {
	sent := now()
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(s.Script())})
	received := now()
	if err != nil {
		return Facts{}, err
	}
	if res.Exit != 0 {
		return Facts{}, fmt.Errorf("%s: surveying the host: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	f, err := parse(string(res.Stdout), sent, received)
	if err != nil {
		return Facts{}, fmt.Errorf("%s: surveying the host: %w", h.Name(), err)
	}
	f.Host = h.Name()
	for _, c := range s.Commands { // one that is not there is known not to be
		f.Commands[c] = f.Commands[c] || false
	}
	return f, nil
}

// clock compares clocks. The script began after sent and told its last time before
// received, so the offset is between what those two leave; what the script itself
// took is no part of the error.
func clock(sent, begin, finish, received time.Time) Clock {
	most, least := begin.Sub(sent), finish.Sub(received)
	return Clock{Offset: (most + least) / 2, Error: (most - least).Abs() / 2}
}
