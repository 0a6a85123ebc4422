package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
)

// ID names one thing drover manages, as in "kube-node-1/file:/etc/kubernetes/kubelet.yaml"
// or "cluster/object:BGPPeer/f5-a". The part before the slash is the host, or
// "cluster".
type ID string

// ClusterHost stands for the cluster in IDs of things that are not on a host.
const ClusterHost = "cluster"

// NewID makes an ID.
func NewID(host, kind, name string) ID { return ID(host + "/" + kind + ":" + name) }

// Host is the host the thing is on, or ClusterHost.
func (id ID) Host() string {
	host, _, _ := strings.Cut(string(id), "/")
	return host
}

// What is the ID without its host: "file:/etc/…".
func (id ID) What() string {
	_, what, _ := strings.Cut(string(id), "/")
	return what
}

// State is what a thing is like, in words and digests that can be compared and
// shown; never a secret. nil means that it is absent.
type State map[string]string

// Unknown is the state of what cannot be looked at yet, because something it
// lives in does not exist: an object before there is an API server.
func Unknown() State { return State{"": "known after"} }

// IsUnknown reports whether s is Unknown.
func (s State) IsUnknown() bool { return maps.Equal(s, Unknown()) }

// Equal reports whether two states are the same; absent equals only absent.
func (s State) Equal(o State) bool { return (s == nil) == (o == nil) && maps.Equal(s, o) }

// Item is one thing that is wanted.
type Item struct {
	ID ID `json:"id"`
	// Needs must be as wanted before this is touched.
	Needs []ID `json:"needs,omitempty"`
	// Triggers are things this one reads when it starts: a change of one of
	// them restarts it. They are needs as well.
	Triggers []ID `json:"triggers,omitempty"`
	// Tells are things this one tells of: a change of one of them changes this one,
	// although it may want the same as before. They are needs as well.
	Tells []ID `json:"tells,omitempty"`
	// Serial names what must not be disturbed in two places at once: updates
	// and restarts of items with the same word happen one after the other, each
	// seen to be well before the next, unless what is there serves nobody.
	Serial string `json:"serial,omitempty"`
	// Want is the state wanted; nil means absent.
	Want State `json:"want"`
	// Content names what is made where Want does not tell, as of an object whose
	// state is no more than "as wanted": by it two plans are told apart. It is
	// never made of a secret.
	Content string `json:"content,omitempty"`
	// Condition says that this is waited for and never changed. How it looks on
	// the way there differs from one look to the next.
	Condition bool `json:"condition,omitempty"`
	// At is where the inventory says so.
	At *diag.Range `json:"at,omitempty"`
}

// Action is what is done to an item. Reasons explain an action, never decide it.
type Action string

// The actions.
const (
	NoOp    Action = "no-op"
	Create  Action = "create"
	Update  Action = "update"
	Restart Action = "restart" // as wanted, but must read its inputs again
	Delete  Action = "delete"
)

// Change is an item with what is to be done to it.
type Change struct {
	Item
	Action Action `json:"action"`
	Reason string `json:"reason,omitempty"`
	Before State  `json:"before"`
}

// SchemaVersion is that of a plan's JSON form.
const SchemaVersion = 1

// Plan is every item, in an order in which each comes after what it needs.
type Plan struct {
	SchemaVersion int    `json:"schema_version"`
	Cluster       string `json:"cluster"`
	// Standing is how far the cluster was, and UID which one it was, once there
	// is one: two of the same name are not the same cluster.
	Standing string   `json:"standing"`
	UID      string   `json:"uid,omitempty"`
	Changes  []Change `json:"changes"`
	// ByHand are the BIG-IPs that somebody else configures.
	ByHand []ByHand `json:"by_hand,omitempty"`
}

// ByHand is a BIG-IP that is managed by hand, as far as the hosts can tell: what
// it has itself is never verified.
type ByHand struct {
	BigIP string `json:"bigip"`
	// Up are the hosts that see their session with it, Missing those that do not.
	// Hosts that could not be asked are neither.
	Up      []string `json:"up"`
	Missing []string `json:"missing"`
	// Enter is what to paste there for those that are missing.
	Enter []string `json:"enter"`
	// WaitSeconds is how long a run waits for that.
	WaitSeconds int64 `json:"wait_seconds"`
}

// Pending are the changes that do something.
func (p Plan) Pending() []Change {
	var out []Change
	for _, c := range p.Changes {
		if c.Action != NoOp {
			out = append(out, c)
		}
	}
	return out
}

// Diff compares what is wanted with what was seen. Every item must have been
// observed. Errors are mistakes of the caller: doubled items, needs that do not
// exist, circles.
func Diff(cluster string, want []Item, have map[ID]State) (Plan, error) {
	sorted, err := order(want)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{SchemaVersion: SchemaVersion, Cluster: cluster, Changes: make([]Change, 0, len(sorted))}
	changed := map[ID]bool{}
	for _, item := range sorted {
		before, seen := have[item.ID]
		if !seen {
			return Plan{}, fmt.Errorf("plan: %s was not observed", item.ID)
		}
		c := compare(item, before, changed)
		if c.Action != NoOp {
			changed[item.ID] = true
		}
		p.Changes = append(p.Changes, c)
	}
	return p, nil
}

// compare decides what is to be done to one item.
func compare(item Item, before State, changed map[ID]bool) Change {
	c := Change{Item: item, Before: before, Action: NoOp}
	switch {
	case before.IsUnknown():
		c.Action, c.Reason = Create, "cannot be seen yet"
	case item.Want == nil && before == nil:
	case item.Want == nil:
		c.Action, c.Reason = Delete, "no longer wanted"
	case before == nil:
		c.Action, c.Reason = Create, "absent"
	case !before.Equal(item.Want):
		c.Action, c.Reason = Update, differences(item.Want, before)
	default:
		if t, ok := first(item.Triggers, changed); ok {
			c.Action, c.Reason = Restart, "reads "+t.What()
		} else if t, ok := first(item.Tells, changed); ok {
			c.Action, c.Reason = Update, "tells of "+t.What()
		}
	}
	return c
}

// first is the first of them that is changed.
func first(of []ID, changed map[ID]bool) (ID, bool) {
	for _, id := range of {
		if changed[id] {
			return id, true
		}
	}
	return "", false
}

// differences names what differs, in words.
func differences(want, have State) string {
	keys := slices.Sorted(maps.Keys(merged(want, have)))
	var words []string
	for _, k := range keys {
		w, wok := want[k]
		h, hok := have[k]
		switch {
		case wok && !hok:
			words = append(words, fmt.Sprintf("%s is missing", k))
		case !wok:
			words = append(words, fmt.Sprintf("%s is %s, not wanted", k, short(h)))
		case w != h:
			words = append(words, fmt.Sprintf("%s is %s, not %s", k, short(h), short(w)))
		}
	}
	return strings.Join(words, "; ")
}

func merged(a, b State) State {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// short cuts a digest to what people compare.
func short(s string) string {
	if digest, ok := strings.CutPrefix(s, "sha256:"); ok && len(digest) > 12 {
		return "sha256:" + digest[:12]
	}
	if s == "" {
		return "empty"
	}
	return s
}

// order sorts items so that each follows what it needs, and otherwise keeps the
// order they were given in.
func order(items []Item) ([]Item, error) {
	index := make(map[ID]int, len(items))
	for n, i := range items {
		if _, twice := index[i.ID]; twice {
			return nil, fmt.Errorf("plan: %s is wanted twice", i.ID)
		}
		index[i.ID] = n
	}
	const visiting, done = 1, 2
	mark := make([]byte, len(items))
	sorted := make([]Item, 0, len(items))
	var path []ID
	var visit func(n int) error
	visit = func(n int) error {
		i := &items[n]
		switch mark[n] {
		case done:
			return nil
		case visiting:
			return fmt.Errorf("plan: %s needs itself: %v", i.ID, append(path, i.ID))
		}
		mark[n], path = visiting, append(path, i.ID)
		for _, ids := range [...][]ID{i.Needs, i.Triggers, i.Tells} {
			for _, id := range ids {
				need, ok := index[id]
				if !ok {
					return fmt.Errorf("plan: %s needs %s, which is not wanted", i.ID, id)
				}
				if err := visit(need); err != nil {
					return err
				}
			}
		}
		mark[n], path = done, path[:len(path)-1]
		sorted = append(sorted, *i)
		return nil
	}
	for n := range items {
		if err := visit(n); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}
