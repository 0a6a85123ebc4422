package kube

import (
	"slices"
	"testing"

	certsv1 "k8s.io/api/certificates/v1"
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
