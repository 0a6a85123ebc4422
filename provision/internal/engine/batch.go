package engine

import (
	"errors"
	"sync"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
)

// batch gathers what is to be written on one host: whatever has become due while
// one command was under way goes with the next. Nothing waits for company.
type batch struct {
	mu      sync.Mutex
	due     []*writing
	writing bool // somebody sees to what is due
}

// writing is one thing that is due to be written.
type writing struct {
	node  *node
	res   resource.Written
	files []host.File
	done  chan error // of capacity 1: what became of it
}

// write has a thing written with what else is due on its host, and tells what
// became of it.
func (r *run) write(n *node, res resource.Written) error {
	files, err := res.Files(n.change)
	if err != nil {
		return err
	}
	w := &writing{node: n, res: res, files: files, done: make(chan error, 1)}
	b := r.batches[n.change.ID.Host()]
	b.mu.Lock()
	b.due = append(b.due, w)
	mine := !b.writing
	b.writing = true
	b.mu.Unlock()
	if mine {
		r.wg.Go(func() { r.writeDue(b) })
	}
	return <-w.done
}

// writeDue writes until nothing is due.
func (r *run) writeDue(b *batch) {
	for {
		b.mu.Lock()
		due := b.due
		b.due = nil
		b.writing = len(due) > 0
		b.mu.Unlock()
		if len(due) == 0 {
			return
		}
		r.writeAll(due)
	}
}

// writeAll writes things with one command and looks at them with another. When
// the host refuses, each is tried by itself: one bad file is nobody else's fault.
func (r *run) writeAll(due []*writing) {
	err := r.send(due)
	var refused *host.ExitError
	if errors.As(err, &refused) && len(due) > 1 {
		for _, w := range due {
			r.writeAll([]*writing{w})
		}
		return
	}
	if err != nil {
		for _, w := range due {
			w.done <- err
		}
		return
	}
	var scope facts.Scope
	for _, w := range due {
		scope = scope.And(w.res.Scope())
	}
	name := due[0].node.change.ID.Host()
	snap, err := r.Look(r.work, name, scope)
	seen := resource.Seen{Cluster: r.World.Cluster, Hosts: map[string]facts.Snapshot{name: snap}}
	for _, w := range due {
		if err != nil {
			w.done <- lookError(err)
			continue
		}
		have, err := w.res.Observe(r.work, seen)
		w.done <- became(w.node.change, have, err)
	}
}

func (r *run) send(due []*writing) error {
	var files []host.File
	for _, w := range due {
		files = append(files, w.files...)
	}
	name := due[0].node.change.ID.Host()
	h, err := r.World.Host(name)
	if err != nil {
		return err
	}
	return h.WriteFiles(r.work, files)
}
