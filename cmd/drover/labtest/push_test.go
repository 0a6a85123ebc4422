package labtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// bootstrapByPush makes a cluster of hosts that cannot reach the mirror: they are sent
// their releases from here. Only its files are out of their reach: its address is the
// image registry's, too.
func (c *cluster) bootstrapByPush(t *testing.T) {
	mirror := c.Net + ".252"
	labkit.Each(c.hosts(), func(h string) {
		_, err := c.try(t.Context(), h, fmt.Sprintf(`nft -f - <<EOF
table inet drover_labtest {
  chain output {
    type filter hook output priority 0;
    ip daddr %s tcp dport 80 reject with tcp reset
  }
}
EOF`, mirror))
		if err != nil {
			t.Error(err)
		}
		if out, err := c.try(t.Context(), h, "curl -sS -m 5 http://"+mirror+"/ 2>&1; echo exit $?"); err != nil || !strings.HasSuffix(out, "exit 7") {
			t.Errorf("%s still reaches the mirror: %s %v", h, out, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	c.bootstrap(t)
	now(c.nodesReady)(t)
	soon(c.routesHeld)(t)
	c.inSync(t)
	for _, h := range c.hosts() {
		if left := c.ssh(t, h, "find /opt/drover -name '.drover*' -o -name .sent -o -name .partial"); left != "" {
			t.Errorf("left on %s: %s", h, left)
		}
	}
}
