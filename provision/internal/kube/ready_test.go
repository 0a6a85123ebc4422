package kube

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fake is a client of an API server that answers with a handler.
func fake(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	dialled := false
	c, err := Connect(Config{Server: "https://kube-master-1:6443", ServerName: "example.com", CA: ca,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "kube-master-1:6443" {
				t.Errorf("dialled %s", addr)
			}
			dialled = true
			var d net.Dialer
			return d.DialContext(ctx, network, s.Listener.Addr().String())
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.Close(); !dialled {
			t.Error("the dialer was not used")
		}
	})
	return c
}

func TestReadyNamesTheChecksThatFail(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || !r.URL.Query().Has("verbose") {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]shutdown failed: reason withheld\nreadyz check failed\n")
	})
	err := c.Ready(t.Context())
	var not *NotReadyError
	if !errors.As(err, &not) || !slices.Equal(not.What, []string{"etcd failed", "shutdown failed"}) {
		t.Errorf("%v", err)
	}
}

func TestReadyThatIsForbiddenIsNoVerdict(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	err := c.Ready(t.Context())
	var not *NotReadyError
	if err == nil || errors.As(err, &not) {
		t.Errorf("%v", err)
	}
}

func TestReadyOfARealServer(t *testing.T) {
	if err := admin(t).Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// wantNotReady checks the words of a NotReadyError; none wanted means ready.
func wantNotReady(t *testing.T, err error, what ...string) {
	t.Helper()
	var not *NotReadyError
	errors.As(err, &not)
	switch {
	case len(what) == 0 && err != nil:
		t.Errorf("%v", err)
	case len(what) > 0 && (not == nil || !slices.Equal(not.What, what)):
		t.Errorf("got  %v\nwant %q", err, what)
	}
}

func TestNodesReady(t *testing.T) {
	c := admin(t)
	applyNode(t, c, Node{Name: "ready-1"})
	applyNode(t, c, Node{Name: "ready-2"})
	set := func(name string, status corev1.ConditionStatus, message string, others ...corev1.NodeCondition) {
		t.Helper()
		nodes := c.typed.CoreV1().Nodes()
		n, err := nodes.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n.Status.Conditions = append(others, corev1.NodeCondition{Type: corev1.NodeReady, Status: status, Message: message})
		if _, err := nodes.UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	set("ready-1", corev1.ConditionTrue, "kubelet is posting ready status")
	wantNotReady(t, c.NodesReady(t.Context(), "ready-1", "ready-2", "ready-3"),
		"ready-2 is not Ready: Kubelet never posted node status.", "ready-3 has no Node object")
	set("ready-2", corev1.ConditionFalse, "cni plugin not initialized")
	wantNotReady(t, c.NodesReady(t.Context(), "ready-1", "ready-2"), "ready-2 is not Ready: cni plugin not initialized")
	set("ready-2", corev1.ConditionTrue, "", corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue, Message: "not up yet"})
	wantNotReady(t, c.NodesReady(t.Context(), "ready-1", "ready-2"), "ready-2 has no network: not up yet")
	set("ready-2", corev1.ConditionTrue, "")
	wantNotReady(t, c.NodesReady(t.Context(), "ready-1", "ready-2"))
}

func TestLongListsAreCut(t *testing.T) {
	err := &NotReadyError{What: []string{"a", "b", "c", "d", "e", "f", "g"}}
	if got := err.Error(); got != "a; b; c; d; e; and 2 more" {
		t.Errorf("%q", got)
	}
}
