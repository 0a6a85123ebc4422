package fleettest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// Saved is all that a fleet holds at a moment.
type Saved struct {
	hosts   []savedHost
	objects map[kind]map[string]object
	last    int
	members []etcdMember
}

type savedHost struct {
	state                hosttest.State
	joined, serves, dead bool
	etcdRuns, wiped      bool
}

// Save keeps what the fleet holds.
func (f *Fleet) Save() Saved {
	var s Saved
	for _, h := range f.machines() {
		s.hosts = append(s.hosts, savedHost{h.Machine.State(), h.joined.Load(), h.serves.Load(), h.dead.Load(), h.etcdRuns.Load(), h.wiped.Load()})
	}
	s.members = f.etcds.list()
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	s.objects, s.last = cloned(f.api.objects), f.api.last
	return s
}

// Restore makes the fleet hold what it held, to which nothing was done since. What
// is still at work on it ends first: no drover may run.
func (f *Fleet) Restore(s Saved) {
	f.api.close()
	for i, h := range f.machines() {
		h.Server.Settle()
		h.Machine.Restore(s.hosts[i].state)
		h.joined.Store(s.hosts[i].joined)
		h.serves.Store(s.hosts[i].serves)
		h.etcdRuns.Store(s.hosts[i].etcdRuns)
		h.dead.Store(s.hosts[i].dead)
		h.wiped.Store(s.hosts[i].wiped)
	}
	f.etcds.mu.Lock()
	f.etcds.members, f.etcds.changes = slices.Clone(s.members), nil
	f.etcds.due = 0
	f.etcds.lead.Store(0)
	f.etcds.mu.Unlock()
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	f.api.objects, f.api.last = cloned(s.objects), s.last
	f.api.writes, f.api.fault = 0, hosttest.Fault{}
}

// machines are all that run, the inventory's first.
func (f *Fleet) machines() []*Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Concat(f.Hosts, f.supplanted)
}

// cloned are the same objects, in maps of their own.
func cloned(objects map[kind]map[string]object) map[kind]map[string]object {
	out := maps.Clone(objects)
	for k, named := range out {
		out[k] = maps.Clone(named)
	}
	return out
}

// Writes is how many requests to change something the API has had since the fleet
// was restored.
func (f *Fleet) Writes() int {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	return f.api.writes
}

// InjectWrite makes something go wrong with the N-th request from now on to change
// something of the API, or with the first that matches: METHOD PATH. A fault that
// breaks connections breaks those to all masters: they carry the requests.
func (f *Fleet) InjectWrite(fault hosttest.Fault) {
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	if fault.N > 0 {
		fault.N += f.api.writes
	}
	f.api.fault = fault
}

// Watch has somebody told of each request to the API, METHOD PATH, before it is answered:
// the moment for something to happen meanwhile.
func (f *Fleet) Watch(told func(request string)) { f.api.watcher.Store(&told) }

// Mend has nothing go wrong any more, on hosts and with the API.
func (f *Fleet) Mend() {
	for _, h := range f.Hosts {
		h.Machine.Mend()
	}
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	f.api.fault = hosttest.Fault{}
}

// due is what goes wrong with a request, if it is one to change something.
func (a *api) due(r *http.Request) hosttest.Fault {
	if r.Method == http.MethodGet || r.URL.Query().Get("dryRun") != "" {
		return hosttest.Fault{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes++
	fault := a.fault
	if fault.N != 0 && fault.N != a.writes || !strings.Contains(r.Method+" "+r.URL.Path, fault.Match) {
		return hosttest.Fault{}
	}
	a.fault = hosttest.Fault{}
	return fault
}

// strike has something go wrong with a request.
func (a *api) strike(fault hosttest.Fault, w http.ResponseWriter, r *http.Request) {
	if fault.Struck != nil {
		fault.Struck()
	}
	masters := a.fleet.Hosts[:a.fleet.conf.Masters]
	switch fault.Do {
	case hosttest.Fail:
		code, answer := failure(http.StatusInternalServerError, "InternalError", "fleettest: on purpose")
		say(w, code, answer)
		return
	case hosttest.Reboot:
		for _, h := range masters {
			h.Machine.Reboot()
		}
		fallthrough
	case hosttest.Cut:
		for _, h := range masters {
			h.Server.CutAll()
		}
	}
	<-r.Context().Done()
}

// RefuseAPI has a master's API server refuse connections, though its unit runs.
func (f *Fleet) RefuseAPI(master string) {
	h := f.Host(master)
	h.serves.Store(false)
	f.api.forget(h.Address)
}

// StopAPI has a host's API server answer no more. What was asked there is cut off.
func (f *Fleet) StopAPI(name string) {
	h := f.Host(name)
	h.serves.Store(false)
	go f.api.forget(h.Address)
}
