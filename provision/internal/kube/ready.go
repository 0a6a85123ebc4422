package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// NotReadyError is what was looked at and is not ready. Any other error of a
// readiness check means that it could not be looked at.
type NotReadyError struct{ What []string }

func (e *NotReadyError) Error() string {
	const most = 5
	if n := len(e.What); n > most {
		return fmt.Sprintf("%s; and %d more", strings.Join(e.What[:most], "; "), n-most)
	}
	return strings.Join(e.What, "; ")
}

func notReady(what []string) error {
	if len(what) == 0 {
		return nil
	}
	return &NotReadyError{What: what}
}

// Ready asks the API server whether it is ready; a *NotReadyError names the
// checks that fail.
func (c *Client) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/readyz?verbose", nil)
	if err != nil {
		return fmt.Errorf("kube: /readyz: %w", err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("kube: /readyz: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch failing := failingChecks(string(body)); {
	case err != nil:
		return fmt.Errorf("kube: /readyz: %w", err)
	case answer.StatusCode == http.StatusOK:
		return nil
	case len(failing) > 0:
		return &NotReadyError{What: failing}
	}
	return fmt.Errorf("kube: /readyz: %s: %s", answer.Status, cut(strings.TrimSpace(string(body))))
}

// failingChecks reads the answer of /readyz?verbose: "[-]etcd failed: reason withheld".
func failingChecks(body string) []string {
	var out []string
	for line := range strings.Lines(body) {
		if what, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			out = append(out, strings.TrimSuffix(what, ": reason withheld"))
		}
	}
	return out
}

// NodesReady is nil when every node named is Ready.
func (c *Client) NodesReady(ctx context.Context, names ...string) error {
	want := make([]Node, len(names))
	for i, name := range names {
		want[i].Name = name
	}
	have, err := c.nodes(ctx, want)
	if err != nil {
		return fmt.Errorf("look at nodes: %w", err)
	}
	return have.Ready(names...)
}

func nodeTrouble(n *corev1.Node) string {
	if n == nil {
		return "has no Node object"
	}
	silent := true
	for _, c := range n.Status.Conditions {
		why := cmp.Or(c.Message, c.Reason)
		switch {
		case c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue:
			return "is not Ready: " + why
		case c.Type == corev1.NodeReady:
			silent = false
		case c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionTrue:
			return "has no network: " + why
		}
	}
	if silent {
		return "is not Ready: its kubelet has said nothing yet"
	}
	return ""
}

// Established is nil when each CustomResourceDefinition is, and its kind can be
// found in what the API says it serves: only then can an object of it be applied.
func (c *Client) Established(ctx context.Context, names ...string) error {
	crds := c.dynamic.Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	since := time.Now()
	var bad []string
	for _, name := range names {
		crd, err := crds.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			bad = append(bad, name+" is absent")
			continue
		case err != nil:
			return fmt.Errorf("look at CustomResourceDefinition %s: %w", name, err)
		}
		if why := crdTrouble(crd); why != "" {
			bad = append(bad, name+" "+why)
			continue
		}
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		_, err = c.kinds.find(ctx, schema.GroupVersionKind{Group: group, Kind: kind}, since)
		var unknown *UnknownKindError
		switch {
		case errors.As(err, &unknown):
			bad = append(bad, name+" is not served yet")
		case err != nil:
			return err
		}
	}
	return notReady(bad)
}

func crdTrouble(crd *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	is := func(kind, status string) (string, bool) {
		i := slices.IndexFunc(conditions, func(c any) bool {
			m, _ := c.(map[string]any)
			return m["type"] == kind && m["status"] == status
		})
		if i < 0 {
			return "", false
		}
		message, _ := conditions[i].(map[string]any)["message"].(string)
		return message, true
	}
	if why, refused := is("NamesAccepted", "False"); refused {
		return "was given names that are taken: " + why
	}
	if _, ok := is("Established", "True"); !ok {
		return "is not established yet"
	}
	return ""
}
