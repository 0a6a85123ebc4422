package kube

import (
	"context"
	"fmt"

	certsv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ForgetRequests deletes the certificate requests of a node that is no more, whatever
// became of them: what it asked for itself, and what was asked for it when it joined.
func (c *Client) ForgetRequests(ctx context.Context, node string) error {
	requests := c.typed.CertificatesV1().CertificateSigningRequests()
	for _, signer := range []string{certsv1.KubeAPIServerClientKubeletSignerName, certsv1.KubeletServingSignerName} {
		list, err := requests.List(ctx, metav1.ListOptions{FieldSelector: "spec.signerName=" + signer})
		if err != nil {
			return fmt.Errorf("list certificate requests: %w", err)
		}
		for _, r := range list.Items {
			if r.Spec.Username != nodeUser+node && !leftOver(r, node, "") {
				continue
			}
			uid := r.UID
			err := requests.Delete(ctx, r.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("delete certificate request %s of %s: %w", r.Name, r.Spec.Username, err)
			}
		}
	}
	return nil
}

// identityLabel is of the leases by which API servers know of each other.
const identityLabel = "apiserver.kubernetes.io/identity"

// ForgetAPIServer deletes the lease of an API server that is no more: the others would
// keep it for an hour.
func (c *Client) ForgetAPIServer(ctx context.Context, hostname string) error {
	leases := c.typed.CoordinationV1().Leases(metav1.NamespaceSystem)
	list, err := leases.List(ctx, metav1.ListOptions{LabelSelector: identityLabel + "=kube-apiserver," + corev1.LabelHostname + "=" + hostname})
	if err != nil {
		return fmt.Errorf("list the leases of API servers: %w", err)
	}
	for _, l := range list.Items {
		uid := l.UID
		err := leases.Delete(ctx, l.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete the lease %s of the API server on %s: %w", l.Name, hostname, err)
		}
	}
	return nil
}
