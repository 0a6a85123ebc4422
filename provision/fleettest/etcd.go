package fleettest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// etcds plays the etcd of a fleet: whom it has as members, and what becomes of those
// that start. What they hold is not played, so a learner has caught up when it runs.
type etcds struct {
	fleet *Fleet
	lead  atomic.Uint64 // who was told to lead; else it is the first that runs

	mu      sync.Mutex
	members []etcdMember
	last    uint64
	changes []string // of its members, in words
	due     int      // how many changes there are yet until struck is called; 0: it is not
	struck  func()
}

// etcdMember is one member. host is the machine whose data is its own; nil before it
// has any.
type etcdMember struct {
	id      uint64
	name    string
	address string
	learner bool
	host    *Host
}

func (m etcdMember) peer() string { return member(m.address, manifests.EtcdPeerPort) }

func member(address string, port int) string {
	return "https://" + net.JoinHostPort(address, strconv.Itoa(port))
}

// StopEtcd has a host's etcd stop, and not come again by itself.
func (f *Fleet) StopEtcd(name string) { f.StopFormerEtcd(f.Host(name)) }

// StopFormerEtcd is StopEtcd for a machine that another may have the name of.
func (f *Fleet) StopFormerEtcd(h *Host) {
	h.Machine.Edit(func(s *hosttest.State) {
		u := s.Units[manifests.EtcdUnit]
		u.Active = false
		s.Units[manifests.EtcdUnit] = u
	})
	h.etcdRuns.Store(false)
}

// holdsEtcd reports whether a host has data of an etcd. One of which another machine
// has the name had some.
func (h *Host) holdsEtcd() (holds bool) {
	if h == nil || h.gone.Load() {
		return h != nil
	}
	h.Machine.Edit(func(s *hosttest.State) { _, holds = s.Files[manifests.EtcdDataDir+"/member/wal"] })
	return holds
}

// begin plays an etcd's first moments. It is called while its machine is locked, so
// nothing here may look at another one's.
func (e *etcds) begin(h *Host, s *hosttest.State) error {
	err := e.start(h, s)
	h.etcdRuns.Store(err == nil)
	return err
}

// start has it be who it was, with data of its own, and else do what its environment
// says, as far as the members agree.
func (e *etcds) start(h *Host, s *hosttest.State) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, data := s.Files[manifests.EtcdDataDir+"/member/wal"]
	if data {
		if !slices.ContainsFunc(e.members, func(m etcdMember) bool { return m.host == h }) {
			return errors.New("the member has been permanently removed from the cluster")
		}
		return nil
	}
	env := s.Files[manifests.EtcdJoinPath].Content
	initial := map[string]string{} // peer to name
	for one := range strings.SplitSeq(between(env, "ETCD_INITIAL_CLUSTER=", "\n"), ",") {
		name, peer, _ := strings.Cut(one, "=")
		initial[peer] = name
	}
	if len(e.members) == 0 && strings.Contains(env, "ETCD_INITIAL_CLUSTER_STATE=new\n") {
		e.found(initial)
	}
	// A disk that was full may have undone that it had begun.
	own := slices.IndexFunc(e.members, func(m etcdMember) bool { return m.address == h.Address && (m.host == nil || m.host == h) })
	if own < 0 {
		return errors.New("it has no data, and is no member that has not begun")
	}
	for _, m := range e.members {
		if initial[m.peer()] == "" || len(initial) != len(e.members) || initial[e.members[own].peer()] != h.Name {
			return fmt.Errorf("member count is unequal, or another: %v of %v", initial, e.members)
		}
	}
	e.members[own].name, e.members[own].host = h.Name, h
	return s.MakeDirs(manifests.EtcdDataDir + "/member/wal")
}

// found makes the first members.
func (e *etcds) found(initial map[string]string) {
	for _, h := range e.fleet.Hosts[:e.fleet.conf.Masters] {
		if name := initial[member(h.Address, manifests.EtcdPeerPort)]; name != "" {
			e.last++
			e.members = append(e.members, etcdMember{id: e.last, name: name, address: h.Address})
		}
	}
}

// quorum reports whether the voters that run are enough, and who leads then.
func (e *etcds) quorum(members []etcdMember) (leader uint64, ok bool) {
	voters, run := 0, 0
	for _, m := range members {
		if m.learner {
			continue
		}
		voters++
		if m.host != nil && !m.host.gone.Load() && m.host.etcdRuns.Load() {
			run++
			if leader == 0 || m.id == e.lead.Load() {
				leader = m.id
			}
		}
	}
	return leader, voters > 0 && run > voters/2
}

func (e *etcds) list() []etcdMember {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.members)
}

// EtcdMembers are etcd's members: NAME, of a learner "NAME (learner)".
func (f *Fleet) EtcdMembers() []string {
	var out []string
	for _, m := range f.etcds.list() {
		name := m.name
		if m.learner {
			name += " (learner)"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// EtcdChanges are the changes that etcd's members have had, in words.
func (f *Fleet) EtcdChanges() []string {
	f.etcds.mu.Lock()
	defer f.etcds.mu.Unlock()
	return slices.Clone(f.etcds.changes)
}

// StrikeEtcd has something happen when the n-th change of etcd's members from now on
// has taken effect, of which nobody is told then.
func (f *Fleet) StrikeEtcd(n int, do func()) {
	f.etcds.mu.Lock()
	defer f.etcds.mu.Unlock()
	f.etcds.due, f.etcds.struck = n, do
}

func (e *etcds) changed(what string, do func(members []etcdMember) ([]etcdMember, error)) (strike func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.quorum(e.members); !ok {
		return nil, rpctypes.ErrGRPCTimeout
	}
	next, err := do(slices.Clone(e.members))
	if err != nil {
		return nil, err
	}
	if _, ok := e.quorum(next); !ok {
		e.fleet.tb.Errorf("fleettest: %s costs etcd its quorum", what)
	}
	e.members = next
	e.changes = append(e.changes, what)
	if e.due > 0 {
		if e.due--; e.due == 0 {
			return e.struck, nil
		}
	}
	return nil, nil
}

func (e *etcds) name(id uint64) string {
	for _, m := range e.list() {
		if m.id == id {
			return m.name
		}
	}
	return ""
}
