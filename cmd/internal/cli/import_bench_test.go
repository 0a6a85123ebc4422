package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/puppetdbtest"
)

// The real binary imports 500 hosts over TLS, from nothing to the file.
func BenchmarkImportPuppetDB500(b *testing.B) {
	bin, err := built()
	if err != nil {
		b.Fatal(err)
	}
	var nodes []puppetdbtest.Node
	for n := range 500 {
		key := fmt.Appendf(nil, "\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20%032d", n)
		nodes = append(nodes, puppetdbtest.Host(fmt.Sprintf("kube-node-%d.example.net", n), "prod1", "kube_node", fmt.Sprintf("10.90.%d.%d", n/200, 20+n%200), key))
	}
	nodes = append(nodes, puppetdbtest.Host("kube-master-1.example.net", "prod1", "kube_master", "10.90.9.1"))
	s := puppetdbtest.Serve(b, nodes...)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cluster.hcl"), []byte("cluster \"prod1\" {\n  masters = [\"kube-master-1\"]\n}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	var spent time.Duration
	for b.Loop() {
		_ = os.Remove(filepath.Join(dir, "puppetdb.hcl"))
		c := exec.Command(filepath.Join(bin, "drover"), "-i", dir, "inventory", "import", "puppetdb", "--url", s.URL, "--cert", s.Cert, "--key", s.Key, "--ca", s.CA)
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		spent += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/op")
}
