package labtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// What does not come up says why: who holds its port, and the line of its journal that
// matters, of the many that a unit says which is started again and again.
func TestEvidence(t *testing.T) {
	c := shared(t)
	good := c.shape
	for _, test := range []struct {
		host, unit string
		port       int
	}{{"kube-node-1", "kubelet", 10250}, {"kube-master-1", "kube-apiserver", 6443}} {
		t.Run(test.unit, func(t *testing.T) {
			c.ssh(t, test.host, fmt.Sprintf("systemctl stop %s && systemd-run --collect --unit=squatter systemd-socket-activate --accept -l %d true", test.unit, test.port))
			defer c.set(t, good)
			holder := c.ssh(t, test.host, `pid=$(systemctl show --property=MainPID --value squatter); echo "$(cat /proc/$pid/comm) (pid $pid, squatter.service)"`)
			r := c.drover(t, "apply", "--auto-approve")
			if want := fmt.Sprintf("port %d, for ", test.port); r.Code != 1 || !strings.Contains(r.Stderr, want) || !strings.Contains(r.Stderr, "is taken: "+holder) {
				t.Errorf("before anything is touched: %s", r)
			}
			waived := good
			waived.Waived = []string{"port-taken"}
			c.set(t, waived)
			r = c.drover(t, "apply", "--auto-approve")
			for _, want := range []string{
				fmt.Sprintf("port %d on %s is held by %s, at ", test.port, test.host, holder),
				fmt.Sprintf("the journal of %s.service on %s:\n", test.unit, test.host), "address already in use",
			} {
				if r.Code != 1 || !strings.Contains(r.Stderr, want) {
					t.Errorf("no %q in what it says: %s", want, r)
				}
			}
			t.Log(r)
			c.ssh(t, test.host, "systemctl stop squatter")
			c.set(t, good)
			c.apply(t)
			c.inSync(t)
		})
	}

	t.Run("a pod", func(t *testing.T) {
		patch := func(p string) {
			c.kubectl(t, "patch", "-n", "kube-system", "deployment/coredns", "--type=json", "-p", p)
		}
		// A container that is not drover's to take away.
		patch(`[{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "beside", "image": "registry.k8s.io/no-such:v1"}}]`)
		b := labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
		labkit.Await(t, 2*time.Minute, "it says which pod it waits for, and why", func() error {
			said := b.Stderr.String()
			if !strings.Contains(said, "pod kube-system/coredns-") || !strings.Contains(said, "container beside ") || !strings.Contains(said, "registry.k8s.io/no-such:v1") {
				return errors.New(said)
			}
			return nil
		})
		if labkit.Soak() { // until it gives up
			r := b.Result()
			for _, want := range []string{"Deployment kube-system/coredns has ", "\n  Warning Failed: Failed to pull image \"registry.k8s.io/no-such:v1\""} {
				if r.Code != 1 || !strings.Contains(r.Stderr, want) {
					t.Errorf("no %q in what it says: %s", want, r)
				}
			}
			t.Log(r)
			b = labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
		}
		patch(`[{"op": "remove", "path": "/spec/template/spec/containers/1"}]`)
		if r := b.Result(); r.Code != 0 {
			t.Errorf("it does not go on when the image is mended: %s", r)
		}
		c.inSync(t)
	})
}
