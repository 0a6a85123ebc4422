package labtest

import (
	"os"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// stateDir keeps the suites' labs apart from a user's.
const stateDir = "/var/lib/drover-labtest"

// lab is one lab of the suites.
type lab struct{ labkit.Lab }

func named(name, net string) lab {
	return lab{labkit.Lab{StateDir: stateDir, Name: name, Net: net}}
}

// The suites' labs; each has a /24 of its own.
var (
	sharedLab = named("lt-shared", "10.91.0")
	crashLab  = named("lt-crash", "10.91.1")
	otherLab  = named("lt-other", "10.91.2")
	clashLab  = named("lt-clash", "10.91.0") // the shared lab's network
	benchLab  = named("lt-bench", "10.91.3")
)

var suite = labkit.Suite{
	Name:     "drover-labtest",
	StateDir: stateDir,
	Binaries: []string{"DROVER_LAB"},
	Labs:     []labkit.Lab{sharedLab.Lab, crashLab.Lab, otherLab.Lab, clashLab.Lab, benchLab.Lab},
}

func TestMain(m *testing.M) {
	suite.Before = func() (func() error, error) {
		before, err := takeTraces()
		return func() error { return before.awaitSame(nil) }, err
	}
	os.Exit(suite.Main(m))
}
