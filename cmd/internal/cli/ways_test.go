package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// An inventory's own ssh_config is read instead of the user's, as by `ssh -F`; and
// hosts behind a jump host share one connection to it.
func TestAnInventorysOwnSSHConfig(t *testing.T) {
	f := newFleet(t, 3, hosttest.Config{}, rootUser+"\n  config_file = \"ssh_config\"", "")
	bastion := hosttest.Serve(t, hosttest.New(t, "bastion"), hosttest.Config{})
	config := fmt.Sprintf("Host kube-*\n HostName 127.0.0.1\n ProxyJump bastion\nHost bastion\n HostName %s\n Port %d\n User root\n IdentityFile %s\n UserKnownHostsFile %s\n",
		bastion.Address, bastion.Port, bastion.KeyFile, bastion.KnownHosts)
	for file, text := range map[string]string{
		filepath.Join(f.dir, "ssh_config"):      config,
		filepath.Join(f.home, ".ssh", "config"): "HostName 192.0.2.250\nProxyCommand none-of-it\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n, args := range [][]string{{"facts"}, {"plan"}} {
		out, err := f.drover(t, args...).CombinedOutput()
		if want := []string{"kube-node-2", "to create"}[n]; !strings.Contains(string(out), want) || strings.Contains(string(out), "warning") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		if got := bastion.Connections(); got != n+1 {
			t.Errorf("%d connections to the jump host after %d runs", got, n+1)
		}
	}
}
