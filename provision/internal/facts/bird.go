package facts

import (
	"context"
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// askBIRD asks the BIRD of Calico on a host for its sessions. The host has BIRD's
// socket but no client for it; the container has both, and chroot into it needs
// neither the API nor the container runtime, which may be what is broken. -r keeps
// the client from being asked to change anything. The processes are told apart by
// their names first, by one grep.
//
// The client is the container's, and any pod may call a process bird: it must be on
// the host's own network, as calico-node is and pods without privileges are not,
// and the client runs as nobody, with the group that may speak to the socket, so
// that it holds nothing with which to leave the chroot.
const askBIRD = `bird() {
  for d in $(grep -lsx bird /proc/[0-9]*/comm); do
    d=${d%/comm}
    case $(tr '\0' ' ' 2>/dev/null <"$d/cmdline") in
    "bird "*"-s /var/run/calico/bird.ctl "*)
      [ "$d/ns/net" -ef /proc/self/ns/net ] || continue
      timeout 5 chroot --userspec=65534:0 --groups=0 "$d/root" birdcl -r -s /var/run/calico/bird.ctl show protocols all </dev/null
      return ;;
    esac
  done
  echo "` + noBIRD + `" >&2
  return 1
}
`

const noBIRD = "no BIRD of Calico's runs"

// BIRD is what a node's BIRD prints about its sessions.
func BIRD(ctx context.Context, h host.Reader) (string, error) {
	script := "# drover bird\nexport LC_ALL=C\n" + askBIRD + "bird\n"
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script)})
	if err != nil {
		return "", err
	}
	if res.Exit != 0 {
		return "", fmt.Errorf("%s: asking BIRD for its sessions: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	return string(res.Stdout), nil
}
