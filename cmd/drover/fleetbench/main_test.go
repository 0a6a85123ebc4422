package fleetbench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// part is what this program is when it runs itself: the floor, or whoever starts
// a command and tells what it took.
const part = "DROVER_FLEETBENCH"

// drover is the binary that is measured.
var drover string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	switch os.Getenv(part) {
	case "floor":
		return exit(floor(os.Args[1:]))
	case "measure":
		return exit(measure(os.Args[1:]))
	}
	// Parallel tests wait for most of their time, as for a node to be silent long enough.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		return exit(err)
	}
	if drover = os.Getenv("DROVER"); drover != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "fleetbench-")
	if err != nil {
		return exit(err)
	}
	defer os.RemoveAll(dir)
	drover = filepath.Join(dir, "drover")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", drover, "..").CombinedOutput(); err != nil {
		return exit(fmt.Errorf("building drover: %w\n%s", err, out))
	}
	return m.Run()
}

func exit(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
