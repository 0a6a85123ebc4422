package allocatable

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"
)

// At each boundary of a tier, and beside it.
func TestReservedCPU(t *testing.T) {
	for _, test := range []struct {
		arithmetic string
		model      Model
		cores      int
		want       int64
	}{
		{"80 + 1 × 10", GDC, 1, 90},
		{"80 + 8 × 10", GDC, 8, 160},
		{"80 + 64 × 10", "", 64, 720},
		{"0", GKE, 0, 0},
		{"60", GKE, 1, 60},
		{"60 + 10", GKE, 2, 70},
		{"60 + 10 + 1 × 5", GKE, 3, 75},
		{"60 + 10 + 2 × 5", GKE, 4, 80},
		{"60 + 10 + 2 × 5 + 1 × 2.5, rounded up", GKE, 5, 83},
		{"60 + 10 + 2 × 5 + 4 × 2.5", EKS, 8, 90},
		{"60 + 10 + 2 × 5 + 92 × 2.5", EKS, 96, 310},
		{"60", AKS, 1, 60},
		{"100", AKS, 2, 100},
		{"100 + 40 × 1/2", AKS, 3, 120},
		{"140", AKS, 4, 140},
		{"140 + 40 × 1/4", AKS, 5, 150},
		{"180", AKS, 8, 180},
		{"180 + 80 × 4/8", AKS, 12, 220},
		{"260", AKS, 16, 260},
		{"420", AKS, 32, 420},
		{"420 + 320 × 1/32", AKS, 33, 430},
		{"740", AKS, 64, 740},
		{"740 + 32 × 10", AKS, 96, 1060},
	} {
		n, err := test.model.Of(Machine{Cores: test.cores, Memory: 64 * gib, MaxPods: 110})
		if err != nil || n.Reserved.CPU != test.want {
			t.Errorf("%s, %d cores: %s = %dm, not %dm; %v", test.model, test.cores, test.arithmetic, test.want, n.Reserved.CPU, err)
		}
		if want := max(0, int64(test.cores)*1000-test.want); n.Allocatable.CPU != want {
			t.Errorf("%s, %d cores: %d − %d = %dm are allocatable, not %dm", test.model, test.cores, test.cores*1000, test.want, want, n.Allocatable.CPU)
		}
	}
}

func TestReservedMemory(t *testing.T) {
	for _, test := range []struct {
		arithmetic string
		model      Model
		memory     int64
		pods       int
		want       int64
	}{
		{"330 MiB + 5 % of 20 GiB", GDC, 20 * gib, 110, 330*mib + gib},
		{"330 MiB + 5 % of 40 GiB", "", 40 * gib, 250, 330*mib + 2*gib},
		{"255 MiB below 1 GiB", GKE, gib - 1, 110, 255 * mib},
		{"25 % of 1 GiB", GKE, gib, 110, gib / 4},
		{"25 % of 4 GiB", GKE, 4 * gib, 110, gib},
		{"1 GiB + 20 % of 2 GiB", GKE, 6 * gib, 110, gib + gib*2/5},
		{"1 GiB + 20 % of 4 GiB", GKE, 8 * gib, 110, gib + gib*4/5},
		{"1.8 GiB + 10 % of 8 GiB", GKE, 16 * gib, 110, gib * 26 / 10},
		{"2.6 GiB + 6 % of 16 GiB", GKE, 32 * gib, 110, gib * 356 / 100},
		{"2.6 GiB + 6 % of 112 GiB", GKE, 128 * gib, 110, gib * 932 / 100},
		{"9.32 GiB + 2 % of 128 GiB", GKE, 256 * gib, 110, gib * 1188 / 100},
		{"255 + 11 × 110 MiB", EKS, 32 * gib, 110, 1465 * mib},
		{"255 + 11 × 29 MiB", EKS, 8 * gib, 29, 574 * mib},
		{"20 × 110 + 50 MiB, less than 25 % of 32 GiB", AKS, 32 * gib, 110, 2250 * mib},
		{"20 × 30 + 50 MiB, less than 25 % of 4 GiB", AKS, 4 * gib, 30, 650 * mib},
		{"25 % of 8 GiB, less than 20 × 110 + 50 MiB", AKS, 8 * gib, 110, 2 * gib},
		{"25 % of 9000 MiB = 20 × 110 + 50 MiB", AKS, 9000 * mib, 110, 2250 * mib},
	} {
		n, err := test.model.Of(Machine{Cores: 8, Memory: test.memory, MaxPods: test.pods})
		if err != nil || n.Reserved.Memory != test.want {
			t.Errorf("%s: %s = %d, not %d; %v", test.model, test.arithmetic, test.want, n.Reserved.Memory, err)
		}
		if want := max(0, test.memory-test.want-100*mib); n.Allocatable.Memory != want {
			t.Errorf("%s: %d − %d − 100 MiB = %d are allocatable, not %d", test.model, test.memory, test.want, want, n.Allocatable.Memory)
		}
	}
}

func TestExplicit(t *testing.T) {
	n, err := Explicit.Of(Machine{Cores: 4, Memory: 8 * gib, MaxPods: 50, Eviction: 500 * mib, Reserved: Amounts{250, gib}})
	want := Node{Explicit, Amounts{250, gib}, 500 * mib, Amounts{3750, 7*gib - 500*mib}, 50}
	if err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err = Explicit.Of(Machine{Cores: 1, Memory: gib}); err != nil || n.Allocatable != (Amounts{1000, gib - 100*mib}) {
		t.Errorf("nothing reserved: %+v, %v", n, err)
	}
	if n, err = GDC.Of(Machine{Cores: 0, Memory: 100 * mib}); err != nil || n.Allocatable != (Amounts{}) {
		t.Errorf("a machine too small: %+v, %v", n, err)
	}
}

func TestModels(t *testing.T) {
	sources := map[string]Model{}
	for _, m := range Models() {
		if other, twice := sources[m.Source()]; twice || !m.Valid() {
			t.Errorf("%s: valid %t; its source is also that of %q", m, m.Valid(), other)
		}
		sources[m.Source()] = m
	}
	if _, err := Model("gcd").Of(Machine{}); err == nil || Model("gcd").Valid() || !strings.Contains(err.Error(), "[gdc gke eks aks explicit]") {
		t.Errorf("an unknown model: %v", err)
	}
	if !Model("").Valid() {
		t.Error("there is no default")
	}
}

func TestKubelet(t *testing.T) {
	n, err := GDC.Of(Machine{Cores: 8, Memory: 40 * gib, MaxPods: 110})
	if err != nil {
		t.Fatal(err)
	}
	eviction := map[string]string{
		"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%", "imagefs.inodesFree": "5%",
	}
	for _, test := range []struct {
		name   string
		system Amounts
		want   Kubelet
	}{
		{"nothing for the system", Amounts{}, Kubelet{map[string]string{}, map[string]string{"cpu": "160m", "memory": "2378Mi"}, eviction}},
		{"some for the system: 160 − 100 m, 2378 − 512 MiB", Amounts{100, 512 * mib},
			Kubelet{map[string]string{"cpu": "100m", "memory": "512Mi"}, map[string]string{"cpu": "60m", "memory": "1866Mi"}, eviction}},
		{"more for the system than the model reserves", Amounts{500, 4 * gib},
			Kubelet{map[string]string{"cpu": "500m", "memory": "4Gi"}, map[string]string{}, eviction}},
	} {
		if diff := cmp.Diff(test.want, n.Kubelet(test.system)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// What the kubelet would make of its settings is what was said, to the byte.
func TestKubeletMakesItSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machine := Machine{
			Cores:    rapid.IntRange(1, 256).Draw(t, "cores"),
			Memory:   rapid.Int64Range(512*mib, 2048*gib).Draw(t, "memory"),
			MaxPods:  rapid.IntRange(1, 500).Draw(t, "max pods"),
			Eviction: rapid.Int64Range(0, gib).Draw(t, "eviction"),
			Reserved: Amounts{rapid.Int64Range(0, 900).Draw(t, "cpu"), rapid.Int64Range(0, 100*mib).Draw(t, "reserved")},
		}
		n, err := rapid.SampledFrom(Models()).Draw(t, "model").Of(machine)
		if err != nil {
			t.Fatal(err)
		}
		share := rapid.Int64Range(0, 100).Draw(t, "share of the system")
		k := n.Kubelet(Amounts{n.Reserved.CPU * share / 100, n.Reserved.Memory * share / 100})
		cpu, memory := int64(machine.Cores)*1000, machine.Memory
		for _, kept := range []map[string]string{k.SystemReserved, k.KubeReserved, {"memory": k.EvictionHard["memory.available"]}} {
			if q, there := kept["cpu"]; there {
				parsed := resource.MustParse(q)
				cpu -= parsed.MilliValue()
			}
			if q, there := kept["memory"]; there {
				parsed := resource.MustParse(q)
				memory -= parsed.Value()
			}
		}
		if got := (Amounts{max(0, cpu), max(0, memory)}); got != n.Allocatable {
			t.Fatalf("the kubelet gives %+v, not %+v", got, n.Allocatable)
		}
	})
}
