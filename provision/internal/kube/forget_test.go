package kube

import (
	"slices"
	"strings"
	"testing"

	certsv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestForgetRequests(t *testing.T) {
	c := admin(t)
	const client, serving = certsv1.KubeAPIServerClientKubeletSignerName, certsv1.KubeletServingSignerName
	ask(t, "system:bootstrap:abcdef", "system:masters", "forget-joined", client, certsv1.UsageClientAuth, clientRequest(t, "forget-1"))
	ask(t, "system:node:forget-1", "system:masters", "forget-renewed", client, certsv1.UsageClientAuth, clientRequest(t, "forget-1"))
	ask(t, "system:node:forget-1", "system:masters", "forget-served", serving, certsv1.UsageServerAuth, request(t, "forget-1", nil))
	ask(t, "system:bootstrap:abcdef", "system:masters", "forget-other", client, certsv1.UsageClientAuth, clientRequest(t, "forget-11"))
	ask(t, "mallory", "system:masters", "forget-claimed", serving, certsv1.UsageServerAuth, request(t, "forget-1", nil))
	if err := c.ForgetRequests(t.Context(), "forget-1"); err != nil {
		t.Fatal(err)
	}
	list, err := c.typed.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list.Items {
		if len(r.Name) > 7 && r.Name[:7] == "forget-" {
			got = append(got, r.Name)
			_ = c.typed.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), r.Name, metav1.DeleteOptions{})
		}
	}
	if want := []string{"forget-claimed", "forget-other"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

// Of the API servers' leases, that of the host goes and no other.
func TestForgetAPIServer(t *testing.T) {
	c := admin(t)
	leases := c.typed.CoordinationV1().Leases(metav1.NamespaceSystem)
	for name, labels := range map[string]map[string]string{
		"forget-a": {identityLabel: "kube-apiserver", "kubernetes.io/hostname": "forget-1"},
		"forget-b": {identityLabel: "kube-apiserver", "kubernetes.io/hostname": "forget-11"},
		"forget-c": {"kubernetes.io/hostname": "forget-1"},
	} {
		now, hour := metav1.NowMicro(), int32(3600)
		_, err := leases.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec: coordinationv1.LeaseSpec{RenewTime: &now, HolderIdentity: &name, LeaseDurationSeconds: &hour}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is gone is no error
		if err := c.ForgetAPIServer(t.Context(), "forget-1"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := leases.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range list.Items {
		if strings.HasPrefix(l.Name, "forget-") {
			got = append(got, l.Name)
			_ = leases.Delete(t.Context(), l.Name, metav1.DeleteOptions{})
		}
	}
	if want := []string{"forget-b", "forget-c"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}
