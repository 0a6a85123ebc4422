package fleettest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// object is what the API holds of one; it is never changed, only replaced.
type object = map[string]any

// api plays what drover asks of a cluster's API: it keeps what is applied, and
// tells of it what a cluster would in which everything comes up at once. It takes
// fields away only when it is told to: what an apply no longer says stays.
type api struct {
	fleet *Fleet

	mu      sync.Mutex
	objects map[kind]map[string]object // by namespace/name
	last    int                        // resource version
	writes  int                        // requests to change something
	fault   hosttest.Fault             // of the one of its number
	servers map[string]*httptest.Server

	watcher  atomic.Pointer[func(string)] // is told of each request before it is answered
	requests atomic.Int64
}

func newAPI(f *Fleet) *api {
	a := &api{fleet: f, objects: map[kind]map[string]object{}, servers: map[string]*httptest.Server{}}
	f.tb.Cleanup(a.close)
	return a
}

// close ends what serves; it is begun anew, with the certificates of then, by who
// dials next.
func (a *api) close() {
	a.mu.Lock()
	servers := a.servers
	a.servers = map[string]*httptest.Server{}
	a.mu.Unlock()
	for _, s := range servers { // without the lock: requests that are being answered want it
		s.CloseClientConnections()
		s.Close()
	}
}

// forget ends what serves at a host's address.
func (a *api) forget(address string) {
	a.mu.Lock()
	var gone []*httptest.Server
	for _, port := range []string{apiPort, etcdPort} {
		if s := a.servers[address+":"+port]; s != nil {
			gone = append(gone, s)
		}
		delete(a.servers, address+":"+port)
	}
	a.mu.Unlock()
	for _, s := range gone {
		s.CloseClientConnections()
		s.Close()
	}
}

// spoke has a host's Node keep what its kubelet has said, when that is gone.
func (a *api) spoke(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, objects := range a.objects {
		if o := objects["/"+name]; k.kind == "Node" && o != nil {
			objects["/"+name] = a.shown(k, o)
		}
	}
}

// The ports on which more is played than that somebody listens.
const (
	apiPort  = "6443"
	etcdPort = "2379"
)

// dial reaches the API or etcd of a master, with the certificates it has.
func (a *api) dial(ctx context.Context, h *Host, port string) (net.Conn, error) {
	var handler http.Handler
	var cert, ca string
	switch port {
	case apiPort:
		handler, cert, ca = a, "apiserver", "ca.crt"
	case etcdPort:
		if h.etcdRuns.Load() {
			handler, cert, ca = newEtcd(a.fleet, h), "etcd/server", "etcd/ca.crt"
		}
	}
	if handler == nil || !h.serves.Load() && cert == "apiserver" {
		return nil, errors.New("connection refused")
	}
	s, err := a.server(h, port, handler, cert, ca)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
}

func (a *api) server(h *Host, port string, handler http.Handler, cert, ca string) (*httptest.Server, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.servers[h.Address+":"+port]; s != nil {
		return s, nil
	}
	files := h.Machine.State().Files
	text := func(name string) []byte { return []byte(files[manifests.PKIDir+"/"+name].Content) }
	pair, err := tls.X509KeyPair(text(cert+".crt"), text(cert+".key"))
	if err != nil {
		return nil, fmt.Errorf("fleettest: what serves on %s:%s: %w", h.Name, port, err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(text(ca))
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // whoever is killed says no goodbye
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	a.servers[h.Address+":"+port] = s
	return s, nil
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.requests.Add(1)
	if told := a.watcher.Load(); told != nil {
		(*told)(r.Method + " " + r.URL.Path)
	}
	fault := a.due(r)
	if fault.Do != "" && fault.When == hosttest.Before {
		a.strike(fault, w, r)
		return
	}
	code, answer := a.answer(r, body)
	if fault.Do != "" {
		a.strike(fault, w, r)
		return
	}
	say(w, code, answer)
}

func say(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

func (a *api) answer(r *http.Request, body []byte) (int, any) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if path[0] == "readyz" {
		return http.StatusOK, "ok"
	}
	a.mu.Lock()
	kinds := a.kinds()
	a.mu.Unlock()
	if found, ok := discovered(path, kinds); ok {
		return http.StatusOK, found
	}
	k, namespace, name, ok := parse(path, kinds)
	if !ok {
		return failure(http.StatusNotFound, "NotFound", r.URL.Path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := namespace + "/" + name
	have := a.objects[k][key]
	if len(path) > 1 && path[len(path)-1] == "eviction" {
		return a.evict(k, key, body)
	}
	switch r.Method {
	case http.MethodGet:
		if name == "" {
			return http.StatusOK, a.list(k, namespace, r.URL.Query().Get("fieldSelector"))
		}
		if have == nil {
			return failure(http.StatusNotFound, "NotFound", key)
		}
		return http.StatusOK, a.shown(k, have)
	case http.MethodDelete:
		if have == nil {
			return failure(http.StatusNotFound, "NotFound", key)
		}
		if k == pods && a.stays(key, body) {
			return http.StatusOK, have
		}
		a.remove(k, key)
		return http.StatusOK, have
	}
	given, err := decode(body)
	if err != nil {
		return failure(http.StatusBadRequest, "BadRequest", err.Error())
	}
	switch applied := strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch"); {
	case r.Method == http.MethodPost:
		name, _ = metadata(given)["name"].(string)
		key = namespace + "/" + name
		if a.objects[k][key] != nil {
			return failure(http.StatusConflict, "AlreadyExists", key)
		}
	case r.Method == http.MethodPatch && have == nil && !applied:
		return failure(http.StatusNotFound, "NotFound", key)
	}
	next := merged(have, given)
	a.last++
	meta := maps.Clone(metadata(next))
	meta["resourceVersion"] = strconv.Itoa(a.last)
	if meta["uid"] == nil {
		meta["uid"] = fmt.Sprintf("00000000-0000-0000-0000-%012d", a.last)
	}
	if k.namespaced {
		meta["namespace"] = namespace
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch") {
		meta["managedFields"] = managed(r.URL.Query().Get("fieldManager"), metadata(given)["labels"])
	}
	next["metadata"] = meta
	if r.URL.Query().Get("dryRun") == "" {
		if a.objects[k] == nil {
			a.objects[k] = map[string]object{}
		}
		a.objects[k][key] = next
	}
	return http.StatusOK, a.shown(k, next)
}

// decode reads an object, also in the form that typed clients send.
func decode(body []byte) (object, error) {
	if bytes.HasPrefix(body, []byte("k8s\x00")) {
		typed, as, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			return nil, err
		}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
		if err != nil {
			return nil, err
		}
		fields["apiVersion"], fields["kind"] = as.ToAPIVersionAndKind()
		return fields, nil
	}
	var given object
	err := json.Unmarshal(body, &given)
	return given, err
}

func metadata(o object) object {
	m, _ := o["metadata"].(object)
	return m
}

// merged lays one object over another; null takes a field away.
func merged(under, over object) object {
	out := maps.Clone(under)
	if out == nil {
		out = object{}
	}
	for key, value := range over {
		if value == nil {
			delete(out, key)
			continue
		}
		if m, ok := value.(object); ok {
			below, _ := out[key].(object)
			value = merged(below, m)
		}
		out[key] = value
	}
	return out
}

// managed tells whose an object's labels are: of who owns which field no more is
// played.
func managed(manager string, labels any) []any {
	fields := object{}
	own, _ := labels.(object)
	for name := range own {
		fields["f:"+name] = object{}
	}
	return []any{object{"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": object{"f:metadata": object{"f:labels": fields}}}}
}

func failure(code int, reason, message string) (int, any) {
	return code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}
}

func (a *api) list(k kind, namespace, selector string) object {
	items := []any{}
	for _, key := range slices.Sorted(maps.Keys(a.objects[k])) {
		if (namespace == "" || strings.HasPrefix(key, namespace+"/")) && onNode(a.objects[k][key], selector) {
			items = append(items, a.shown(k, a.objects[k][key]))
		}
	}
	if k.kind == "BlockAffinity" {
		items = a.blocks(k)
	}
	return object{"kind": k.kind + "List", "apiVersion": k.groupVersion(), "metadata": object{"resourceVersion": strconv.Itoa(a.last)}, "items": items}
}

// blocks are those that Calico would have given to the nodes that run, or ran. It
// takes them back when the Node is gone; those of a machine that another has the place
// of stay until then.
func (a *api) blocks(k kind) []any {
	items := []any{}
	for i, h := range a.fleet.Hosts {
		node := a.objects[nodes]["/"+h.Name]
		if node != nil && (h.joined.Load() || h.dead.Load() || h.wiped.Load() || h.former != "" && metadata(node)["uid"] == h.former) {
			items = append(items, object{
				"kind": k.kind, "apiVersion": k.groupVersion(), "metadata": object{"name": h.Name},
				"spec": object{"node": h.Name, "state": "confirmed", "cidr": blockOf(i)},
			})
		}
	}
	return items
}

// blockOf is the block of one host of a fleet.
func blockOf(i int) string { return fmt.Sprintf("10.%d.%d.%d/26", 128+i>>10, i>>2&255, i&3<<6) }

// shown is an object with the status that a cluster would give it in which
// everything comes up at once.
func (a *api) shown(k kind, o object) object {
	name, _ := metadata(o)["name"].(string)
	var status object
	switch k.kind {
	case "Node":
		h := a.fleet.Host(name)
		if h == nil || !h.joined.Load() && !h.dead.Load() && !h.wiped.Load() {
			return o
		}
		ready := "True"
		switch {
		case h.dead.Load(), h.wiped.Load():
			ready = "Unknown"
		case h.complains.Load():
			ready = "False"
		}
		status = object{
			"allocatable": object{"cpu": "4", "memory": "8Gi", "pods": "110"},
			"conditions":  []any{object{"type": "Ready", "status": ready}},
			"addresses":   []any{object{"type": "InternalIP", "address": h.Address}},
			"nodeInfo":    object{"kubeletVersion": "v1.37.2", "machineID": h.machineID()},
		}
	case "Deployment":
		spec, _ := o["spec"].(object)
		status = object{"updatedReplicas": spec["replicas"], "replicas": spec["replicas"], "availableReplicas": spec["replicas"]}
	case "Pod":
		if o["status"] != nil {
			return o
		}
		status = object{"phase": "Running", "podIP": "10.128.0.9"}
	case "CustomResourceDefinition":
		status = object{"conditions": []any{object{"type": "Established", "status": "True"}}}
	default:
		return o
	}
	out := maps.Clone(o)
	out["status"] = status
	return out
}
