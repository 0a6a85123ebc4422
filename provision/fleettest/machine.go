package fleettest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// Host is one simulated host.
type Host struct {
	Name, Address string
	Master        bool
	Machine       *hosttest.Host
	Server        *hosttest.Server

	// Swap says how much swap is on, in KiB, which a kubelet does not bear.
	Swap atomic.Int64

	generation int    // how many machines have had its name before
	former     string // the UID of the Node that the one before was

	fleet    *Fleet
	etcdRuns atomic.Bool // its etcd is up
	joined   atomic.Bool // its kubelet runs and has its certificate
	serves   atomic.Bool // its API server runs
	gone     atomic.Bool // another machine is in its place
	listens  atomic.Bool // for the time of a preflight
	dead     atomic.Bool // it had joined, and has lost its power
	wiped    atomic.Bool // it had joined, and was reset: its Node says what it has said

	complains atomic.Bool  // its kubelet says that it is not Ready
	late      atomic.Int32 // how often it is still found to have no routes to others' pods
	copies    copies
	probe     answer
}

// What every simulated machine has.
const (
	cores     = 4
	memoryKiB = 8_000_000
)

func newHost(f *Fleet, name, address string, master bool) *Host {
	h := &Host{Name: name, Address: address, Master: master, fleet: f}
	m := hosttest.New(f.tb, name)
	h.Machine = m
	m.HandleScript("# drover probe", h.probed)
	m.HandleScript("# drover survey", h.surveyed)
	m.HandleScript("# drover measure", h.measured)
	m.HandleScript("# drover bundle", bundle)
	m.HandleScript("# drover puppet look", h.puppetLooked)
	m.HandleScript("# drover puppet hold", h.puppetHeld)
	m.Handle("drover-puppet-release", puppetReleased)
	m.Handle("drover-fact-changing", factChanging)
	// No journal, and nobody on the ports.
	m.HandleScript("# drover evidence", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	m.HandleScript("# drover listen", func(*hosttest.State, hosttest.Call) host.Result {
		h.listens.Store(true)
		return host.Result{}
	})
	m.HandleScript("# drover unlisten", func(*hosttest.State, hosttest.Call) host.Result {
		h.listens.Store(false)
		return host.Result{Stdout: []byte("active\n")}
	})
	m.HandleScript("# drover fan-out end", h.copies.end)
	bare := m.State()
	m.HandleScript("# drover reset look", func(s *hosttest.State, _ hosttest.Call) host.Result { return traces(s, bare) })
	m.HandleScript("# drover reset", func(s *hosttest.State, _ hosttest.Call) host.Result { return h.wipe(s, bare) })
	m.Handle("drover-forget", func(s *hosttest.State, _ hosttest.Call) host.Result {
		maps.DeleteFunc(s.Files, func(name string, _ hosttest.File) bool { return hosttest.OfLock(name) })
		if len(s.Below(membership)) == 1 { // the directory itself
			delete(s.Files, membership)
		}
		return host.Result{}
	})
	m.HandleScript("drover() {", h.deed)
	// What sh does when the connection is lost before any of its script has come.
	m.HandleScript("", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	m.Handle("systemctl", h.systemctl)
	m.Handle("journalctl", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	m.Handle("install", install)
	m.Handle("ip", h.routes)
	m.Handle("drover-pull", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	m.Handle("drover-appears", appears)
	m.Handle("drover-etcd-snapshot", h.snapshot)
	m.Handle("drover-retire", h.retire)
	m.Handle("drover-life", life)
	m.Handle("drover-etcd-snapshot-read", readSnapshot)
	conf := hosttest.Config{Keys: []ssh.PublicKey{f.key}, Latency: f.conf.Latency, Bandwidth: f.conf.Bandwidth, Tunnel: f.tunnel}
	if f.conf.Host != nil {
		f.conf.Host(name, &conf)
	}
	h.Server = hosttest.Serve(f.tb, m, conf)
	return h
}

// Dump is all that the host holds, as text.
func (h *Host) Dump() string { return h.Machine.State().Dump() }

// tunnel reaches a master's API or etcd, or whatever listens on a host: of that no
// more is played than that it is there.
func (f *Fleet) tunnel(ctx context.Context, addr string) (net.Conn, error) {
	to, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	masters := slices.Concat(f.Hosts[:f.conf.Masters], f.supplanted)
	f.mu.Unlock()
	for _, h := range masters {
		if h.Address != to || port != apiPort && port != etcdPort {
			continue
		}
		conn, err := f.api.dial(ctx, h, port)
		if err == nil || !h.listens.Load() {
			return conn, err
		}
	}
	if f.speechless(to) {
		return nil, errNoAnswer
	}
	near, far := net.Pipe()
	far.Close()
	return near, nil
}

// bundle plays the script that reads the cluster's keys.
func bundle(s *hosttest.State, c hosttest.Call) host.Result {
	var out strings.Builder
	for line := range strings.Lines(string(c.Stdin)) {
		line = strings.TrimSpace(line)
		if mark, ok := strings.CutPrefix(line, "echo '"); ok {
			fmt.Fprintln(&out, strings.TrimSuffix(mark, "'"))
		}
		if _, name, ok := strings.Cut(line, "] || cat "); ok {
			out.WriteString(s.Files[name].Content)
		}
	}
	return host.Result{Stdout: []byte(out.String())}
}

// surveyed plays the survey of a host on which nothing stands in the way.
func (h *Host) surveyed(s *hosttest.State, _ hosttest.Call) host.Result {
	var out, disks strings.Builder
	for path, device := range map[string]string{"/": "sda", "/var": "sda", "/opt": "sda", "/var/lib/kubelet": "sda", "/var/lib/containerd": "sda", "/var/lib/etcd": "sdb"} {
		at := map[string]string{"sda": "/", "sdb": "/var/lib/etcd"}[device]
		fmt.Fprintf(&disks, "%s /dev/%s ext4 100000000 80000000 6400000 6000000 %s\n", path, device, at)
	}
	drove := ""
	if _, member := s.Files[membership+"/cluster.drover"]; member {
		drove = "member\ncluster=fleet\n"
	}
	puppet := ""
	if _, there := s.Files[puppetProgram]; there {
		puppet = "puppet=" + puppetProgram + "\n"
	}
	now := fmt.Sprintf("%.9f\n", float64(time.Now().UnixNano())/1e9)
	for _, part := range [][2]string{
		{"begin", now}, {"os", "ID=debian\nVERSION_ID=12\n"},
		{"machine", "kernel=6.1\narch=x86_64\nhostname=" + h.Name + "\ncpus=" + strconv.Itoa(cores) + "\nmemory-kib=" + strconv.Itoa(memoryKiB) + "\nswap-kib=" + strconv.FormatInt(h.Swap.Load(), 10) + "\nlogin=root\n" + puppet},
		{"resolv", "nameserver 10.0.0.53\n"}, {"commands", "ip sysctl nft haproxy conntrack curl\n"}, {"cgroup", "cgroup2fs\n"},
		{"disks", disks.String()}, {"drove", drove},
		{"finish", now}, {"end", ""},
	} {
		fmt.Fprintf(&out, "@@drover-survey@@ %s\n%s", part[0], part[1])
	}
	return host.Result{Stdout: []byte(out.String())}
}

// measured plays a measurement: of a disk that takes 2 ms for a write, and a network on
// which everybody is 0.3 ms away. Where etcd runs, its disk is left alone.
func (h *Host) measured(s *hosttest.State, c hosttest.Call) host.Result {
	script := string(c.Stdin)
	var out strings.Builder
	section := func(name, body string) { fmt.Fprintf(&out, "@@drover-measure@@ %s\n%s", name, body) }
	section("before", "cpu  100 0 100 700 0 0 0 100 0 0\n")
	if n, _ := strconv.Atoi(between(script, "\nwrites=", "\n")); n > 0 {
		if s.Units["etcd.service"].Active && between(script, "\nanyway=", "\n") == "" {
			section("live", "")
		} else {
			section("writes", strings.Repeat("2300 bytes (2.3 kB, 2.2 KiB) copied, 0.002 s, 1.1 MB/s\n", n))
		}
	}
	pings, _ := strconv.Atoi(between(script, "\npings=", "\n"))
	for _, peer := range strings.Fields(between(script, "\npeers=", "\n")) {
		section("ping "+peer, strings.Repeat("64 bytes from "+peer+": icmp_seq=1 ttl=64 time=0.300 ms\n", pings))
	}
	section("after", "cpu  150 0 150 799 0 0 0 101 0 0\n")
	section("end", "")
	return host.Result{Stdout: []byte(out.String())}
}

// deed plays the scripts that are run only when all of them has come.
func (h *Host) deed(s *hosttest.State, c hosttest.Call) host.Result {
	script := string(c.Stdin)
	if !strings.HasSuffix(script, "\n}\ndrover\n") {
		return host.Result{Exit: 2, Stderr: []byte("sh: Syntax error: end of file unexpected\n")}
	}
	switch {
	case strings.Contains(script, "# drover artifact\n"):
		return h.install(s, script)
	case strings.Contains(script, "systemctl enable --quiet --no-reload "):
		_, name, _ := strings.Cut(script, "systemctl enable --quiet --no-reload ")
		name, _, _ = strings.Cut(name, "\n")
		return h.start(s, name, true)
	}
	return notPlayed(c)
}

func notPlayed(c hosttest.Call) host.Result {
	return host.Result{Exit: 64, Stderr: fmt.Appendf(nil, "fleettest: %q is not played; add it\n%s", c.Argv, c.Stdin)}
}

// artifact plays an installation: of what is in a release only its name is known.
func artifact(s *hosttest.State, script string) host.Result {
	dir, sum, version := between(script, "mkdir -p ", "\n"), between(script, `if [ "$sum" != `, " ]"), between(script, "\nln -sfn ", " .current")
	if dir == "" || len(sum) != 64 || version == "" {
		return host.Result{Exit: 64, Stderr: []byte("fleettest: not the script of an artifact\n" + script)}
	}
	at, name := path.Join(dir, version), path.Base(dir)
	for _, old := range s.Below(at) {
		delete(s.Files, old)
	}
	file := path.Join(at, name)
	if err := s.Put(file, "#!"+name+" "+version, 0o755, "root:root"); err != nil {
		return host.Result{Exit: 1, Stderr: []byte(err.Error())}
	}
	record := fmt.Sprintf("sha256:%s\n%s %s  ./%s\n", sum, stamp(s.Files[file]), digest(s.Files[file].Content), name)
	if err := s.Put(path.Join(at, "record.drover"), record, 0o644, "root:root"); err != nil {
		return host.Result{Exit: 1, Stderr: []byte(err.Error())}
	}
	s.Files[path.Join(dir, "current")] = hosttest.File{Kind: hosttest.Symlink, Target: version, Mode: 0o777, Owner: "root:root", Mtime: s.Now}
	return host.Result{}
}

// stamp is what tells that a file is as it was.
func stamp(f hosttest.File) string { return fmt.Sprintf("%d.%d", len(f.Content), f.Mtime.Unix()) }

// start plays a unit's enabling and start, and what the program then does.
func (h *Host) start(s *hosttest.State, unit string, enable bool) host.Result {
	if _, there := s.Files[manifests.UnitDir+"/"+unit]; !there {
		return host.Result{Exit: 1, Stderr: []byte("Failed to enable unit: Unit file " + unit + " does not exist.\n")}
	}
	u := s.Units[unit]
	u.Active, u.Enabled, u.Started, u.Starts = true, u.Enabled || enable, s.Now, u.Starts+1
	s.Units[unit] = u
	put := func(name string) {
		if _, there := s.Files[name]; !there {
			if err := s.Put(name, "its own", 0o600, "root:root"); err != nil {
				h.fleet.tb.Errorf("fleettest: %s: %v", h.Name, err)
			}
		}
	}
	switch unit {
	case manifests.EtcdUnit:
		if err := h.fleet.etcds.begin(h, s); err != nil {
			u.Active = false
			s.Units[unit] = u
			return host.Result{Exit: 1, Stderr: []byte("etcd on " + h.Name + ": " + err.Error() + "\n")}
		}
	case manifests.APIServerUnit:
		h.serves.Store(true)
	case manifests.KubeletUnit:
		const client = manifests.KubeletPKIDir + "/kubelet-client-current.pem"
		if _, told := s.Files[manifests.KubeletBootstrapKubeconfig]; told {
			put(client)
		}
		if _, has := s.Files[client]; has {
			put(manifests.KubeletPKIDir + "/kubelet-server-current.pem")
			h.joined.Store(true)
			h.wiped.Store(false)
		}
	}
	return host.Result{}
}

// systemctl plays what is asked for without a script.
func (h *Host) systemctl(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 3 {
		return notPlayed(c)
	}
	unit := s.Units[c.Argv[2]]
	switch c.Argv[1] {
	case "is-active":
		if unit.Active {
			return host.Result{Stdout: []byte("active\n")}
		}
		return host.Result{Stdout: []byte("inactive\n"), Exit: 3}
	case "try-restart":
		if _, there := s.Files[manifests.UnitDir+"/"+c.Argv[2]]; !there {
			return host.Result{Exit: 5, Stderr: []byte("Failed to try-restart " + c.Argv[2] + ": Unit " + c.Argv[2] + " not found.\n")}
		}
		if !unit.Active {
			return host.Result{}
		}
		return h.start(s, c.Argv[2], false)
	}
	return notPlayed(c)
}

// install plays install -d -m MODE DIR.
func install(s *hosttest.State, c hosttest.Call) host.Result {
	if len(c.Argv) != 5 || c.Argv[1] != "-d" || c.Argv[2] != "-m" {
		return notPlayed(c)
	}
	mode, err := strconv.ParseUint(c.Argv[3], 8, 32)
	if err != nil {
		return notPlayed(c)
	}
	if err := s.MakeDirs(c.Argv[4]); err != nil {
		return host.Result{Exit: 1, Stderr: []byte(err.Error())}
	}
	d := s.Files[c.Argv[4]]
	d.Mode = fileMode(mode)
	s.Files[c.Argv[4]] = d
	return host.Result{}
}

// appears plays the wait for a file.
func appears(s *hosttest.State, c hosttest.Call) host.Result {
	if _, there := s.Files[c.Argv[1]]; there {
		return host.Result{}
	}
	return host.Result{Exit: 1}
}

func digest(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }
