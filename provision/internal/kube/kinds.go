package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// resource is how one kind is asked for.
type resource struct {
	gvr        schema.GroupVersionResource
	namespaced bool
	verbs      []string
}

// kinds is what the API serves, read when first needed and read again when a
// kind is missing: its CRD may have been applied since.
type kinds struct {
	discovery discovery.DiscoveryInterfaceWithContext

	mu     sync.Mutex
	read   time.Time // when the answer below was asked for
	served map[schema.GroupVersionKind]resource
	// preferred is each kind's version that the API prefers.
	preferred map[schema.GroupKind]schema.GroupVersionKind
	// broken are groups of aggregated APIs that did not answer: what they serve
	// is not known.
	broken map[string]error
}

// find says how a kind is asked for. An answer older than since is not enough to
// call a kind unknown: one refresh serves a whole round of looking.
func (k *kinds) find(ctx context.Context, gvk schema.GroupVersionKind, since time.Time) (resource, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r, ok := k.lookup(gvk); ok {
		return r, nil
	}
	if k.read.IsZero() || k.read.Before(since) {
		if err := k.refresh(ctx); err != nil {
			return resource{}, fmt.Errorf("kube: reading what the API serves: %w", err)
		}
	}
	if r, ok := k.lookup(gvk); ok {
		return r, nil
	}
	if err := k.broken[gvk.Group]; err != nil {
		return resource{}, fmt.Errorf("kube: reading what the API serves of %s: %w", gvk.Group, err)
	}
	return resource{}, &UnknownKindError{gvk}
}

// lookup finds a kind in the last answer; a kind without a version is found in
// the one the API prefers.
func (k *kinds) lookup(gvk schema.GroupVersionKind) (resource, bool) {
	if gvk.Version == "" {
		gvk = k.preferred[gvk.GroupKind()]
	}
	r, ok := k.served[gvk]
	return r, ok
}

// changed says that a definition was applied. A kind that is new is missed and
// then looked for; only which version the API prefers may no longer be true.
func (k *kinds) changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.preferred = nil
}

// forget makes the next look a fresh one: what is served has changed.
func (k *kinds) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read, k.served, k.preferred = time.Time{}, nil, nil
}

// all are the kinds that can be listed and deleted, each in its preferred version.
func (k *kinds) all(ctx context.Context) ([]schema.GroupVersionKind, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("kube: reading what the API serves: %w", err)
	}
	for group, err := range k.broken {
		return nil, fmt.Errorf("kube: reading what the API serves of %s: %w", group, err)
	}
	var out []schema.GroupVersionKind
	for _, gvk := range k.preferred {
		if r := k.served[gvk]; slices.Contains(r.verbs, "list") && slices.Contains(r.verbs, "delete") {
			out = append(out, gvk)
		}
	}
	return out, nil
}

func (k *kinds) refresh(ctx context.Context) error {
	asked := time.Now()
	groups, lists, err := k.discovery.ServerGroupsAndResourcesWithContext(ctx)
	broken := map[string]error{}
	var partial *discovery.ErrGroupDiscoveryFailed
	switch {
	case errors.As(err, &partial):
		for gv, why := range partial.Groups {
			broken[gv.Group] = why
		}
	case err != nil:
		return err
	}
	k.read, k.broken = asked, broken
	k.served = map[schema.GroupVersionKind]resource{}
	k.preferred = map[schema.GroupKind]schema.GroupVersionKind{}
	for _, list := range lists {
		if err := k.add(list); err != nil {
			return err
		}
	}
	k.prefer(groups)
	return nil
}

func (k *kinds) add(list *v1.APIResourceList) error {
	gv, err := schema.ParseGroupVersion(list.GroupVersion)
	if err != nil {
		return err
	}
	for _, r := range list.APIResources {
		if strings.Contains(r.Name, "/") { // a subresource
			continue
		}
		k.served[gv.WithKind(r.Kind)] = resource{
			gvr: gv.WithResource(r.Name), namespaced: r.Namespaced, verbs: r.Verbs,
		}
	}
	return nil
}

// prefer notes for each kind the first version, in the group's own order of
// preference, that serves it.
func (k *kinds) prefer(groups []*v1.APIGroup) {
	for _, g := range groups {
		versions := []string{g.PreferredVersion.Version}
		for _, v := range g.Versions {
			versions = append(versions, v.Version)
		}
		for gvk := range k.served {
			if gvk.Group != g.Name {
				continue
			}
			i := slices.Index(versions, gvk.Version)
			have, ok := k.preferred[gvk.GroupKind()]
			if !ok || i >= 0 && i < slices.Index(versions, have.Version) {
				k.preferred[gvk.GroupKind()] = gvk
			}
		}
	}
}
