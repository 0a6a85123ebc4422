package reach

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/preflight"
)

//go:embed listen.sh
var listenScript string

// life is how long a listener may live that nobody ends: longer than any look, and
// no longer than it takes to run drover again.
const life = 45 * time.Second

// listener is a unit that listens on a host.
type listener struct {
	on   host.Writer
	unit string
}

// listen has a host listen on addresses of its own.
func listen(ctx context.Context, h host.Writer, at []netip.AddrPort) (listener, error) {
	nonce := make([]byte, 4)
	rand.Read(nonce)
	l := listener{h, preflight.ListenPrefix + hex.EncodeToString(nonce)}
	var addresses, sockets []string
	for _, a := range at {
		addresses, sockets = append(addresses, a.String()), append(sockets, inProc(a))
	}
	var script strings.Builder
	script.WriteString("# drover listen\n")
	for _, v := range [][2]string{
		{"prefix", preflight.ListenPrefix}, {"unit", l.unit}, {"seconds", fmt.Sprint(life.Seconds())},
		{"addresses", strings.Join(addresses, " ")}, {"sockets", strings.Join(sockets, " ")}, {"wanted", fmt.Sprint(len(at))},
	} {
		fmt.Fprintf(&script, "%s=%s\n", v[0], host.Quote(v[1]))
	}
	script.WriteString(listenScript)
	_, err := h.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script.String()), Limit: 15 * time.Second})
	return l, err
}

// inProc is an address as /proc/net/tcp has it: words of the processor's byte order,
// the little end first wherever drover runs.
func inProc(a netip.AddrPort) string {
	b := a.Addr().As4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", b[3], b[2], b[1], b[0], a.Port())
}

// errEnded is a listener that did not last as long as the look.
var errEnded = errors.New("what was to listen there ended too early")

// end ends it, also for a caller that was stopped: until then its ports are taken.
func (l listener) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	script := fmt.Sprintf("# drover unlisten\nsystemctl is-active %[1]s.service\nsystemctl stop %[1]s.service 2>/dev/null || :\n", l.unit)
	res, err := l.on.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script)})
	if err == nil && strings.TrimSpace(string(res.Stdout)) != "active" {
		err = errEnded
	}
	return err
}
