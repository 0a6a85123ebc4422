package removal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
)

// sign is one look for life on a node.
type sign struct {
	gone bool   // there is no Node, so nobody can speak for it
	life string // why somebody lives there; empty when nothing tells so
	last string // the last that was heard of it
}

// heardOf is why most nodes live.
const heardOf = "the cluster hears of it"

// errLives ends the watch over a node on which somebody lives.
var errLives = errors.New("it lives")

const (
	// silence is how long nothing may have been heard of a node that is dead. That its
	// pods are taken off the API at once, unasked, is right of the dead alone: one look at
	// the wrong moment would cost budgets, data, and a StatefulSet's pod run twice.
	silence = 30 * time.Second
	// watching is how long it may take to see that: a look that fails begins it anew.
	watching = 3 * time.Minute
)

// dead decides, once in a removal, whether a node is dead, or why it is not. The clock is
// this program's own: those of the machines that the API's times come from may be wrong.
func dead(ctx context.Context, node string, look func(context.Context) (sign, error), waiting func(string)) (is bool, why string, err error) {
	var last string
	var since time.Time // zero: not seen silent
	err = wait.For(ctx, wait.Condition{
		What: "a word of " + node, Limit: watching, Every: 2 * time.Second,
		Check: func(ctx context.Context) error {
			s, err := look(ctx)
			switch {
			case err != nil:
				since = time.Time{} // who could not look does not know
				return err
			case s.gone:
				return nil
			case s.life != "":
				why = s.life
				return wait.Permanent(errLives)
			case since.IsZero():
				since, last = time.Now(), s.last
			case s.last != last:
				why = heardOf
				return wait.Permanent(errLives)
			}
			if time.Since(since) < silence {
				return fmt.Errorf("nothing is heard of it; when that is so for %s, it is dead", silence)
			}
			return nil
		},
	}, waiting)
	if errors.Is(err, errLives) {
		return false, why, nil
	}
	return err == nil, "", err
}

// lifeOn looks for life on a node: by what the cluster hears of it, and then by what its
// machine says.
func lifeOn(w resource.World, node string, lives Lives) func(context.Context) (sign, error) {
	return func(ctx context.Context) (sign, error) {
		api, err := w.Cluster.API(ctx)
		if err != nil {
			return sign{}, err
		}
		heard, err := api.Heard(ctx, node)
		if err != nil {
			return sign{}, err
		}
		s := sign{gone: !heard.Exists, last: heard.Last}
		switch {
		case s.gone:
		case !heard.Silent:
			s.life = heardOf
		default:
			s.life, err = lives(ctx, w)
		}
		return s, err
	}
}

// Lives tells what of a node that the cluster does not hear of lives on its machine all
// the same; empty when nothing does.
type Lives func(context.Context, resource.World) (string, error)

// Unasked is of a machine that nobody was to ask: its kubelet alone has the say.
func Unasked(context.Context, resource.World) (string, error) {
	return "its machine was not asked", nil
}

// lives is the word of a node's machine. One that was not reached has none.
func (n Node) lives(ctx context.Context, w resource.World) (string, error) {
	if !n.Reached {
		return "", nil
	}
	h, err := w.Host(n.On())
	if err != nil {
		return "", err
	}
	res, err := h.Probe(ctx, host.Cmd{Argv: []string{"sh", "-c", lifeScript, "drover-life", manifests.KubeletUnit}})
	if err != nil {
		return "", err
	}
	found, whole := strings.CutSuffix(strings.TrimSpace(string(res.Stdout)), "end")
	if res.Exit != 0 || !whole {
		return "", fmt.Errorf("%s: looking whether a kubelet or containers run: exit code %d: %s", n.On(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	if found = strings.TrimSpace(found); found == "" {
		return "", nil
	}
	return fmt.Sprintf("nothing is heard of its kubelet, but there run %s: see to it there, or power it off and give --unreachable", strings.ReplaceAll(found, "\n", " and ")), nil
}

// What cannot be asked about counts as running. Containers are known by their cgroups,
// which outlive their shims.
const lifeScript = `: drover-life
case $(systemctl is-active "$1") in inactive | failed | unknown) ;; *) echo "its kubelet" ;; esac
n=0
for c in /proc/[0-9]*/cgroup; do
	if grep -qs kubepods "$c"; then n=$((n + 1)); fi
done
if [ "$n" -gt 0 ]; then echo "$n processes of pods"; fi
echo end`
