package components

import (
	"context"
	"net/http"
	"time"

	"github.com/droverctl/drover/examples/lab"
)

// Set is what a lab installs from.
type Set struct {
	Artifacts []Artifact
	Images    []Image
}

// Artifact is one release file.
type Artifact struct {
	Component string `json:"component"` // what it is called here, such as "kubelet"
	Version   string `json:"version"`   // without a leading v
	Path      string `json:"path"`      // under the mirror's root: HOST/PATH as upstream has it
	Sums      string `json:"sums,omitempty"`
	File      string `json:"file"`
	SHA256    string `json:"sha256"`
	Size      int64  `json:"size"`
}

// Image is a container image in an OCI layout of its own.
type Image struct {
	Name   string `json:"name"` // with registry and tag
	Dir    string `json:"dir"`
	Digest string `json:"digest"`
}

// Options say what to build and how.
type Options struct {
	// Only names the sets wanted; empty means all. What they need is built too.
	Only []string
	// Progress is told what happens, from one goroutine; nil discards it.
	Progress func(Event)
	// Download fetches upstream's release files instead of compiling.
	Download *Download
}

// Download says where release files and images come from.
type Download struct {
	// Mirror holds the files under MIRROR/HOST/PATH; empty means the hosts themselves.
	Mirror string
	// Registry is the host[:port] of a registry that stands for all others.
	Registry string
	// Client fetches the files; nil means http.DefaultClient.
	Client *http.Client
}

// EventKind is what an Event tells.
type EventKind int

// The life of a set: it is cached, or it starts, moves on (perhaps waiting for
// another process that builds it) and is done.
const (
	Cached EventKind = iota
	Started
	Waiting
	Progressed
	Done
)

func (k EventKind) String() string {
	switch k {
	case Cached:
		return "cached"
	case Started:
		return "started"
	case Waiting:
		return "waiting"
	case Progressed:
		return "progressed"
	case Done:
		return "done"
	}
	return "unknown"
}

// Event is one step in the making of a set.
type Event struct {
	Kind    EventKind
	Set     string
	Version string
	Line    string        // what is going on, for Progressed and Waiting
	Elapsed time.Duration // since the set was started
}

// State is whether a set is in the cache.
type State string

// A set is built, or missing.
const (
	Built   State = "built"
	Missing State = "missing"
)

// Status is one set as the cache has it.
type Status struct {
	Set       string        `json:"set"`
	Version   string        `json:"version"`
	Key       string        `json:"key"`
	State     State         `json:"state"`
	Dir       string        `json:"dir"`
	Took      time.Duration `json:"took"` // how long it took to build
	Artifacts []Artifact    `json:"artifacts,omitempty"`
	Images    []Image       `json:"images,omitempty"`
}

// Build makes the sets that are not in the cache and returns all that were
// asked for. Two builds at once, of any processes, do the work once.
func Build(ctx context.Context, cache Cache, o Options) (Set, error) {
	all, err := recipes(lab.Components)
	if err != nil {
		return Set{}, err
	}
	b := builder{cache: cache, recipes: all, options: o}
	return b.build(ctx)
}

// List is the state of every set, in the order they are built.
func List(ctx context.Context, cache Cache) ([]Status, error) {
	all, err := recipes(lab.Components)
	if err != nil {
		return nil, err
	}
	b := builder{cache: cache, recipes: all}
	return b.list(ctx)
}

// AptPackages are the Debian packages that building every set takes, besides
// the go command.
func AptPackages() []string {
	return []string{"gcc", "libc6-dev", "libseccomp-dev", "mmdebstrap", "pkg-config"}
}
