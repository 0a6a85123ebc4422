package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// roomIsWhatIsPlaced: what drover says that there is room for is what the cluster's
// scheduler finds places for. Of identical pods it is exactly that; of mixed ones never
// more, in any of three orders, and at most 5 % less. In each set they ask for something
// else.
func (c *cluster) roomIsWhatIsPlaced(t *testing.T, r *rand.Rand) {
	t.Helper()
	sets, orders := 1, []int{0, 1 + r.IntN(2)} // the first is the worst
	if labkit.Soak() {
		sets, orders = 15, []int{0, 1, 2} // each with a node and without it
	}
	for range sets {
		free := c.identicalFit(t, 100+10*r.IntN(50))
		c.mixedFit(t, r, free, orders)
	}
}

// asks is a deployment of pods that ask for so much and are not to be scheduled yet. Nor
// are they ever started, because a volume of theirs is missing: it is the scheduler that
// is asked here, and hundreds of containers would only take its time.
func (c *cluster) asks(t *testing.T, name string, replicas, milli int) map[string]any {
	t.Helper()
	d := deployment(name, replicas, map[string]any{
		"name": "pause", "image": c.Components(t).Image(t, "registry.k8s.io/pause").Name,
		"resources":    map[string]any{"requests": map[string]any{"cpu": fmt.Sprintf("%dm", milli), "memory": "4Mi"}},
		"volumeMounts": []any{map[string]any{"name": "missing", "mountPath": "/missing"}},
	})
	spec := d["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	spec["schedulingGates"] = []any{map[string]any{"name": "labtest/room"}}
	spec["volumes"] = []any{map[string]any{"name": "missing", "configMap": map[string]any{"name": "labtest-missing"}}}
	spec["terminationGracePeriodSeconds"] = 1
	delete(spec, "topologySpreadConstraints")
	return d
}

// identicalFit gives about how much CPU there is for more pods, in thousandths of one.
func (c *cluster) identicalFit(t *testing.T, milli int) (free int) {
	t.Helper()
	const name, wanted = "fit", 40
	c.kubectlIn(t, list(t, []any{c.asks(t, name, wanted, milli)}), "apply", "-f", "-")
	defer c.gone(t, name)
	pods := c.gated(t, name, wanted)
	said := c.fit(t, wanted)
	c.let(t, pods)
	placed := c.placed(t, wanted)
	t.Logf("of pods that ask for %dm CPU each: %d said, %d placed", milli, said, placed)
	if said != placed || placed == wanted {
		t.Errorf("of %d identical pods that ask for %dm CPU, %d have room, it says, and %d are placed", wanted, milli, said, placed)
	}
	return placed * milli
}

// mixedFit: about a hundred pods fit, so that a twentieth of them is several. The orders
// are the largest first, the smallest first, and any.
func (c *cluster) mixedFit(t *testing.T, r *rand.Rand, free int, orders []int) {
	t.Helper()
	var milli []int
	for _, percent := range []int{40 + r.IntN(30), 80 + r.IntN(40), 130 + r.IntN(40)} {
		milli = append(milli, max(1, free*percent/10_000))
	}
	var all []any
	var names []string
	var wanted int
	for i, asks := range milli {
		name, replicas := fmt.Sprintf("fit-%d", i), 50+r.IntN(10)
		names, wanted = append(names, name), wanted+replicas
		all = append(all, c.asks(t, name, replicas, asks))
	}
	said, least := 0, wanted
	for n, order := range orders {
		c.kubectlIn(t, list(t, all), "apply", "-f", "-")
		pods := c.gated(t, "fit", wanted)
		if n == 0 {
			said = c.fit(t, wanted)
		}
		slices.Sort(pods)
		switch order {
		case 0:
			slices.Reverse(pods)
		case 2:
			r.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		}
		c.let(t, pods)
		placed := c.placed(t, wanted)
		t.Logf("of %d pods that ask for %vm: %d said, %d placed", wanted, milli, said, placed)
		least = min(least, placed)
		c.gone(t, names...)
	}
	if said > least || 20*(least-said) > least {
		t.Errorf("of %d mixed pods that ask for %vm, %d have room, it says, and %d are placed in the worst of %d orders", wanted, milli, said, least, len(orders))
	}
	if least == wanted {
		t.Errorf("all of %d pods are placed: that says nothing of the room", wanted)
	}
}

// fit is for how many of the pods that are pending drover says that there is room; all
// others run.
func (c *cluster) fit(t *testing.T, pending int) int {
	t.Helper()
	r := c.drover(t, "capacity", "--tier", "1", "-o", "json")
	var report struct {
		Summary struct {
			Running struct{ Pods, Placed int } `json:"running_fit"`
		}
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || report.Summary.Running.Pods < pending {
		t.Fatalf("%v: %s", err, r)
	}
	return report.Summary.Running.Placed - (report.Summary.Running.Pods - pending)
}

// gated awaits so many pods that are not to be scheduled yet.
func (c *cluster) gated(t *testing.T, prefix string, want int) (names []string) {
	t.Helper()
	labkit.Await(t, time.Minute, "the pods to be made", func() error {
		names = nil
		for _, p := range c.fitPods(t) {
			if len(p.Spec.SchedulingGates) > 0 && strings.HasPrefix(p.Metadata.Name, prefix) {
				names = append(names, p.Metadata.Name)
			}
		}
		if len(names) != want {
			return fmt.Errorf("%d of %d", len(names), want)
		}
		return nil
	})
	return names
}

// let has pods be scheduled, in that order. kubectl would take five seconds for fifty.
func (c *cluster) let(t *testing.T, names []string) {
	t.Helper()
	api, err := rest.RESTClientFor(c.config(t, "", c.address("kube-master-1")+":6443"))
	if err != nil {
		t.Fatal(err)
	}
	ungate := []byte(`[{"op": "remove", "path": "/spec/schedulingGates"}]`)
	for _, name := range names {
		if err := api.Patch(types.JSONPatchType).Namespace("default").Resource("pods").Name(name).Body(ungate).Do(t.Context()).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

type fitPod struct {
	Metadata struct{ Name string }
	Spec     struct {
		NodeName        string
		SchedulingGates []any
	}
	Status struct {
		Conditions []struct{ Type, Reason string }
	}
}

func (c *cluster) fitPods(t *testing.T) []fitPod {
	t.Helper()
	var pods struct{ Items []fitPod }
	c.get(t, &pods, "pods", "-l", "app in (fit, fit-0, fit-1, fit-2)")
	return pods.Items
}

// placed is how many of the pods have a node, once each has one or is told that there is
// none for it.
func (c *cluster) placed(t *testing.T, of int) (n int) {
	t.Helper()
	labkit.Await(t, 2*time.Minute, "the scheduler to have tried all pods", func() error {
		pods := c.fitPods(t)
		n = 0
		for _, p := range pods {
			refused := false
			for _, condition := range p.Status.Conditions {
				refused = refused || condition.Type == "PodScheduled" && condition.Reason == "Unschedulable"
			}
			switch {
			case p.Spec.NodeName != "":
				n++
			case !refused:
				return errors.New(p.Metadata.Name)
			}
		}
		if len(pods) != of {
			return fmt.Errorf("%d pods of %d", len(pods), of)
		}
		return nil
	})
	return n
}

func (c *cluster) gone(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		c.kubectl(t, "delete", "deployment", name)
	}
	labkit.Await(t, 2*time.Minute, "the pods to be gone", func() error {
		if n := len(c.fitPods(t)); n > 0 {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
}
