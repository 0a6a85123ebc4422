package bgp

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/inventory"
)

func TestByHand(t *testing.T) {
	secret := testPeering()
	secret.Password = inventory.NewSecret("s3cret-word")
	other := secret
	other.Cluster, other.LocalAS = "2026", 4200000001
	for name, c := range map[string]struct {
		p           Peering
		up, missing []string
	}{
		"one":     {secret, []string{"kube-master-1", "kube-node-2"}, []string{"kube-node-1"}},
		"several": {secret, []string{"kube-node-1"}, []string{"kube-node-2", "kube-master-1"}},
		"other":   {other, []string{"kube-node-1"}, []string{"kube-node-2"}},
		"none-up": {secret, nil, []string{"kube-master-1", "kube-node-1", "kube-node-2"}},
		// The one host that is seen may be the one that was never entered.
		"one-seen": {secret, nil, []string{"kube-node-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ByHand(c.p, c.up, c.missing)
			golden(t, "byhand-"+name+".zebos", got)
			if strings.Contains(strings.Join(got, "\n"), "s3cret") {
				t.Error("the password is shown")
			}
		})
	}
	if got := ByHand(testPeering(), []string{"kube-node-1"}, nil); got != nil {
		t.Errorf("nothing is missing, and this is to be entered: %q", got)
	}
}

// Entered on a BIG-IP that lacks just the missing hosts, it is all that is wanted
// and nothing that was there before changes.
func TestByHandIsTheDelta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPeering(t)
		p.Password = inventory.Secret{}
		known := p
		known.Neighbors = nil
		var up, missing []string
		for _, n := range p.Neighbors {
			if rapid.Bool().Draw(t, n.Name) {
				missing = append(missing, n.Name)
				continue
			}
			up, known.Neighbors = append(up, n.Name), append(known.Neighbors, n)
		}
		if len(up) == 0 {
			return // then it is what Render prints
		}
		running := strings.Join(Render(known), "\n") + "\n!\n"
		delta, err := Delta(running, p)
		if err != nil {
			t.Fatal(err)
		}
		if got := ByHand(p, up, missing); !slices.Equal(got, Paste(delta)) {
			t.Fatalf("to be entered: %q\nlacking:       %q", got, Paste(delta))
		}
	})
}
