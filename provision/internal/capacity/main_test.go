package capacity_test

import (
	"flag"
	"os"
	"testing"

	_ "pgregory.net/rapid" // whose flag it is
)

// What is drawn is clusters, so that a hundred of them take minutes under the race detector:
// 30 are drawn unless -rapid.checks says otherwise, and 300 with DROVER_SOAK.
func TestMain(m *testing.M) {
	checks := "30"
	if os.Getenv("DROVER_SOAK") != "" {
		checks = "300"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	m.Run()
}
