package ssh

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// Every command runs inside one of these. They print a marker on both outputs
// when they have become root, so that what was printed before it can be told
// apart, and leave it in the environment, by which the command and what it has
// started can be found again. Their first words name them to whoever reads a
// process list or plays a host in a test. They need no more than a POSIX shell.
const (
	// start runs the command at once.
	start = `: drover-start; LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin DROVER=$0; export LC_ALL PATH DROVER; ` +
		`echo "$0"; echo "$0" >&2; exec "$@"`
	// startAfter first reads away what is on stdin before a line that is the marker:
	// the password, when sudo did not want it. Without this a password that sudo
	// did not ask for would be the beginning of a file.
	startAfter = `: drover-start-after; LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin DROVER=$0; export LC_ALL PATH DROVER; ` +
		`echo "$0"; echo "$0" >&2; line=; until [ "$line" = "$0" ]; do IFS= read -r line || exit 79; done; exec "$@"`
	// stop ends everything that carries a marker. It is a command of its own
	// because closing a session ends nothing that neither reads nor writes, and
	// sshd passes no signals on to root's processes.
	stop = `: drover-stop
all() { grep -alsF "DROVER=$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do echo "$pid"; done; }
kill -TERM $(all "$1") 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(all "$1")" ] || exit 0; sleep 0.1; done
kill -KILL $(all "$1") 2>/dev/null
exit 0`
)

// invocation is one command as it goes over the wire.
type invocation struct {
	line   string // for the user's shell
	marker string
	prompt string // that sudo prints when it asks
}

func (c *Conn) invoke(argv []string) invocation {
	nonce := make([]byte, 8)
	rand.Read(nonce)
	v := invocation{marker: "drover-" + hex.EncodeToString(nonce)}
	script := start
	var words []string
	if c.hop.Become == BecomeSudo {
		if c.password == "" {
			words = append(words, "sudo", "-n", "--")
		} else {
			v.prompt = v.marker + "-password:"
			script = startAfter
			words = append(words, "sudo", "-S", "-p", v.prompt, "--")
		}
	}
	words = append(words, "sh", "-c", script, v.marker)
	words = append(words, argv...)
	for i, w := range words {
		words[i] = host.Quote(w)
	}
	v.line = strings.Join(words, " ")
	return v
}
