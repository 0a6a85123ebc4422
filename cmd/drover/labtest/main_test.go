package labtest

import (
	"os"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// stateDir keeps the suites' labs apart from a user's and from drover-lab's own
// suites'.
const stateDir = "/var/lib/drover-clustertest"

func named(name, net string) lab {
	return lab{labkit.Lab{StateDir: stateDir, Name: name, Net: net}}
}

// The suites' labs; each has a /24 of its own.
var (
	oneLab     = named("dt-one", "10.94.0")
	threeLab   = named("dt-three", "10.94.1")
	killLab    = named("dt-kill", "10.94.2")
	benchLab   = named("dt-bench", "10.94.3")
	manualLab  = named("dt-manual", "10.94.4")
	kubeadmLab = named("dt-kubeadm", "10.94.5")
	secretsLab = named("dt-secrets", "10.94.7")
	fanOutLab  = named("dt-fanout", "10.94.14")
	portsLab   = named("dt-ports", "10.94.9")
	worldsLab  = named("dt-worlds", "10.94.10")
	mastersLab = named("dt-masters", "10.94.16")
	nodesLab   = named("dt-nodes", "10.94.17")
	puppetLab  = named("dt-puppet", "10.94.18")
)

var suite = labkit.Suite{
	Name:     "drover-clustertest",
	StateDir: stateDir,
	Binaries: []string{"DROVER_LAB", "DROVER"},
	Labs: []labkit.Lab{
		oneLab.Lab, threeLab.Lab, killLab.Lab, benchLab.Lab, manualLab.Lab, kubeadmLab.Lab,
		secretsLab.Lab,
		fanOutLab.Lab,
		portsLab.Lab,
		worldsLab.Lab,
		mastersLab.Lab,
		nodesLab.Lab,
		puppetLab.Lab,
	},
}

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }
