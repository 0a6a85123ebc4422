package fleetbench

import (
	"strings"
	"testing"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/fleettest"
)

// What a model reserves is what kubelets are told to keep, of each machine's own cores
// and memory; what the inventory says of a kubelet wins, and without a model none is told
// anything.
func TestReservation(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	config := func() string {
		return string(f.Host("kube-node-1").Machine.State().Files[manifests.KubeletConfigPath].Content)
	}
	apply(t, f)
	if c := config(); strings.Contains(c, "kubeReserved") {
		t.Fatalf("nobody asked for it:\n%s", c)
	}
	f.Settings = "capacity { reservation = \"gdc\" }\n"
	f.Add(0)
	says(t, said(t, f, 2, "plan"), "kube-node-1", "config.yaml")
	apply(t, f)
	// 80m + 4 × 10m of CPU. Of memory 8000000 KiB, rounded up to 31 × 256 MiB: 330 MiB + 5 %.
	says(t, config(), "kubeReserved:\n  cpu: 120m\n  memory: 727Mi\n", "memory.available: 100Mi")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	says(t, said(t, f, 0, "capacity"), "3.88 CPU and 6.8 GiB allocatable")
	f.Settings += "kubelet {\n  config = {\n    kubeReserved   = { cpu = \"1\" }\n    systemReserved = { memory = \"500Mi\" }\n  }\n}\n"
	f.Add(0)
	apply(t, f)
	says(t, config(), "kubeReserved:\n  cpu: \"1\"\n  memory: 227Mi\n", "systemReserved:\n  memory: 500Mi\n")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	says(t, said(t, f, 0, "capacity"), "3 CPU and 6.8 GiB allocatable")
}
