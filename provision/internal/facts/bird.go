package facts

import (
	"context"
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// birdScript asks the BIRD of Calico on a host for its sessions. The host has
// BIRD's socket but no client for it; the container has both, and chroot into it
// needs neither the API nor the container runtime, which may be what is broken.
// -r keeps the client from being asked to change anything.
const birdScript = `# drover bird
export LC_ALL=C
for c in /proc/[0-9]*/cmdline; do
  case $(tr '\0' ' ' <"$c" 2>/dev/null) in
  "bird "*"-s /var/run/calico/bird.ctl "*)
    timeout 5 chroot "${c%/cmdline}/root" birdcl -r -s /var/run/calico/bird.ctl show protocols all </dev/null
    exit ;;
  esac
done
echo "no BIRD of Calico's runs" >&2
exit 1
`

// BIRD is what a node's BIRD prints about its sessions.
func BIRD(ctx context.Context, h host.Reader) (string, error) {
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(birdScript)})
	if err != nil {
		return "", err
	}
	if res.Exit != 0 {
		return "", fmt.Errorf("%s: asking BIRD for its sessions: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	return string(res.Stdout), nil
}
