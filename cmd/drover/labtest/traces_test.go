package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// traces are what changes on a cluster leave: on hosts each file's times and each
// service's start, in the API each object's version. Two of them tell what was
// touched in between.
type traces struct {
	files map[string]string // "HOST PATH" to its times
	units map[string]string // "HOST UNIT" to when it became active, and how often systemd started it again by itself
	api   map[string]string // "KIND NAMESPACE/NAME" to its version
}

// look prints a host's files with their times, and its services with their last
// start. What runs by itself is left out: logs, containers, what programs keep of
// their own state. Calico renews its plugin's token by itself. That there was a run,
// drover notes itself.
const look = `
find / /var/lib/kubelet -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache \
	-o -path /var/lib/drover/lock -o -path /var/lib/drover/epoch -o -path /var/lib/drover/history \
	-o -path /var/lib/containerd -o -path /var/lib/etcd -o -path /var/lib/calico -o -path /var/lib/cni -o -path /var/lib/systemd -o -path /home \
	-o -path /etc/cni/net.d/calico-kubeconfig -o -path '/var/lib/kubelet/*' ! -path '/var/lib/kubelet/pki*' ! -path /var/lib/kubelet/config.yaml \) -prune \
	-o \( -type f -o -type l \) -printf 'file %p %T@ %C@ %i\n'
systemctl list-units --type=service --all --plain --no-legend | cut -d' ' -f1 | grep -v -e @ -e '^systemd-' -e '^session' |
	xargs systemctl show --property=Id,ActiveEnterTimestampMonotonic,InvocationID,NRestarts | awk -v RS= '
	{ sub(/.*Id=/, "Id="); n = split($0, f, "\n"); delete v; for (i = 1; i <= n; i++) { p = index(f[i], "="); v[substr(f[i], 1, p-1)] = substr(f[i], p+1) } }
	{ print "unit", v["Id"], v["ActiveEnterTimestampMonotonic"], v["InvocationID"], v["NRestarts"] }'
`

// hostTraces looks at hosts, all at once.
func (c *cluster) hostTraces(t *testing.T, hosts ...string) traces {
	t.Helper()
	tr := traces{files: map[string]string{}, units: map[string]string{}}
	var mu sync.Mutex
	labkit.Each(hosts, func(host string) {
		out, err := c.try(t.Context(), host, look)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		for line := range strings.Lines(out) {
			kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			name, times, _ := strings.Cut(rest, " ")
			switch kind {
			case "file":
				tr.files[host+" "+name] = times
			case "unit":
				tr.units[host+" "+name] = times
			}
		}
		if len(tr.files) < 1000 || tr.units[host+" ssh.service"] == "" {
			t.Errorf("%s: this cannot be all: %d files, units %v", host, len(tr.files), tr.units)
		}
	})
	return tr
}

// restless are kinds that say by themselves that things are well.
var restless = []string{"leases.coordination.k8s.io", "events", "events.events.k8s.io", "componentstatuses"}

// allTraces looks at the hosts and at everything in the API.
func (c *cluster) allTraces(t *testing.T) traces {
	t.Helper()
	if len(c.kinds) == 0 {
		c.kinds = slices.DeleteFunc(strings.Fields(c.kubectl(t, "api-resources", "--verbs=list", "-o", "name")), func(kind string) bool {
			return slices.Contains(restless, kind)
		})
	}
	var tr traces
	var wg sync.WaitGroup
	wg.Go(func() { tr = c.hostTraces(t, c.hosts()...) })
	r, err := labkit.Execute(labkit.Command(t.Context(), c.kubectlPath, c.kubectlArgs("get", "-o", "json", "-A", strings.Join(c.kinds, ","))...))
	wg.Wait()
	if err != nil || r.Code != 0 {
		t.Fatal(r, err)
	}
	var all struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		t.Fatal(err)
	}
	tr.api = map[string]string{}
	for _, raw := range all.Items {
		key, version, err := trace(raw)
		if err != nil {
			t.Fatal(err)
		}
		tr.api[key] = version
	}
	if len(tr.api) < 100 {
		t.Errorf("this cannot be all of the API: %v", tr.api)
	}
	return tr
}

// trace is an object's name and what of it moves when somebody changes it. Of an
// object with a status that is its labels and its spec; a Node's health moves its
// taints, too.
func trace(raw json.RawMessage) (key, version string, err error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", "", err
	}
	m := o.Metadata
	key = strings.TrimSpace(fmt.Sprintf("%s %s", o.Kind, strings.TrimPrefix(m.Namespace+"/"+m.Name, "/")))
	if len(o.Status) == 0 {
		return key, fmt.Sprintf("%s version %s generation %d", m.UID, m.ResourceVersion, m.Generation), nil
	}
	// Its status moves its resourceVersion: whoever reports on it writes there, a
	// kubelet that was started again for each of its pods.
	if taints, ok := o.Spec["taints"].([]any); ok {
		o.Spec["taints"] = slices.DeleteFunc(taints, func(item any) bool {
			taint, _ := item.(map[string]any)
			key, _ := taint["key"].(string)
			return strings.HasPrefix(key, "node.kubernetes.io/")
		})
		if len(o.Spec["taints"].([]any)) == 0 {
			delete(o.Spec, "taints")
		}
	}
	labels, err1 := json.Marshal(m.Labels)
	spec, err2 := json.Marshal(o.Spec)
	// Not its generation: a taint that came and went counts there.
	return key, fmt.Sprintf("%s %s %s", m.UID, labels, spec), errors.Join(err1, err2)
}

// moved are the names that differ between two looks, also by being in one only.
func moved(before, after map[string]string) []string {
	names := maps.Clone(before)
	maps.Copy(names, after)
	var found []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := before[name]
		is, has := after[name]
		if had != has || was != is {
			found = append(found, name)
		}
	}
	return found
}

// leaderless are services of which one leads. Where both processors are so busy that
// its lease is not renewed for ten seconds, it ends, and systemd starts it again.
var leaderless = []string{"kube-controller-manager.service", "kube-scheduler.service"}

// stoodDown tells whether a service was started again by systemd alone, because it
// lost its lease: whoever starts it otherwise sets that count to 0.
func stoodDown(unit, before, after string) bool {
	_, name, _ := strings.Cut(unit, " ")
	return slices.Contains(leaderless, name) && restarts(after) > restarts(before)
}

// restarts is how often systemd started a unit again, -1 when that is not known.
func restarts(times string) int {
	f := strings.Fields(times)
	if len(f) == 0 {
		return -1
	}
	n, err := strconv.Atoi(f[len(f)-1])
	if err != nil {
		return -1
	}
	return n
}
