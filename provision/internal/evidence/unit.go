package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/survey"
)

// Limit is how long gathering what is known of one thing may take.
const Limit = 10 * time.Second

// recent is how far back a journal is read: a program that is started again and again
// says a lot each time.
const recent = 400

// marker begins the part of an answer that lists listeners.
const marker = "@@drover-listeners@@"

// Unit is what a host knows of a unit that did not come up: the last and the worst of
// its journal, and who else holds its ports. One round trip.
func Unit(ctx context.Context, h host.Reader, unit string, ports ...uint16) string {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	script := fmt.Sprintf("# drover evidence\n%s\njournalctl --no-pager -o cat -n %d -u %s 2>&1\necho; echo %s; listeners\n",
		survey.ListenersScript(), recent, host.Quote(unit), host.Quote(marker))
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script)})
	if err != nil {
		return fmt.Sprintf("the journal of %s could not be read: %v", unit, err)
	}
	journal, sockets, whole := strings.Cut(string(res.Stdout), "\n"+marker+"\n")
	var out []string
	if whole {
		out = holders(h.Name(), unit, ports, sockets)
	}
	lines := worst(strings.Split(strings.TrimSpace(journal), "\n"))
	return strings.Join(append(out, fmt.Sprintf("the journal of %s on %s:\n%s", unit, h.Name(), strings.Join(lines, "\n"))), "\n")
}

// holders tells who has a unit's ports besides the unit itself.
func holders(name, unit string, ports []uint16, sockets string) []string {
	all, err := survey.ParseListeners(sockets)
	if err != nil && len(ports) > 0 {
		return []string{fmt.Sprintf("who listens on %s could not be told: %v", name, err)}
	}
	var out []string
	for _, l := range all {
		if slices.Contains(ports, l.Address.Port()) && l.Unit != unit {
			out = append(out, fmt.Sprintf("port %d on %s is held by %s, at %s", l.Address.Port(), name, l.Holder(), l.Address))
		}
	}
	return out
}
