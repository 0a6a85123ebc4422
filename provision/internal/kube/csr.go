package kube

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	certsv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Addresses are the names and addresses a host may put into its serving
// certificate, besides its own name.
type Addresses struct {
	Names []string
	IPs   []netip.Addr
}

// Refusal is a certificate request that was not approved. It is left as it is:
// denying it is for whoever knows where it came from.
type Refusal struct {
	Request string // the object's name
	User    string // who asked
	Reason  string
}

func (r Refusal) String() string {
	return fmt.Sprintf("certificate request %s of %s: %s", r.Request, r.User, r.Reason)
}

const (
	nodeUser      = "system:node:"
	nodeGroup     = "system:nodes"
	bootstrapUser = "system:bootstrap:"
)

// ApproveServing approves the serving certificates that kubelets of known hosts
// ask for, and nothing else: every other pending request for one is in refused.
// Approved are the nodes' names.
func (c *Client) ApproveServing(ctx context.Context, known map[string]Addresses) (approved []string, refused []Refusal, err error) {
	return c.approve(ctx, certsv1.KubeletServingSignerName, func(r certsv1.CertificateSigningRequest) (string, error) {
		return checkServing(r, known)
	})
}

// ApproveJoin approves the client certificates that kubelets ask for with
// bootstrap tokens, each for the one node its token was made for: joins maps
// tokens' IDs to nodes' names. Without it any token could become any node.
func (c *Client) ApproveJoin(ctx context.Context, joins map[string]string) (approved []string, refused []Refusal, err error) {
	return c.approve(ctx, certsv1.KubeAPIServerClientKubeletSignerName, func(r certsv1.CertificateSigningRequest) (string, error) {
		if strings.HasPrefix(r.Spec.Username, nodeUser) {
			return "", errNotOurs // a renewal: kube-controller-manager approves it
		}
		return checkJoin(r, joins)
	})
}

// WithdrawJoins deletes the pending requests for a node's client certificate that
// were made with another token than this one: that of a run that was killed. A
// kubelet takes its own earlier request up again, whatever token it has by now, and
// would wait for ever for an approval that no one gives.
func (c *Client) WithdrawJoins(ctx context.Context, node, token string) error {
	requests := c.typed.CertificatesV1().CertificateSigningRequests()
	list, err := requests.List(ctx, metav1.ListOptions{FieldSelector: "spec.signerName=" + certsv1.KubeAPIServerClientKubeletSignerName})
	if err != nil {
		return fmt.Errorf("list certificate requests: %w", err)
	}
	for _, r := range list.Items {
		if decided(r) || !leftOver(r, node, token) {
			continue
		}
		uid := r.UID // a new one of the same name is not the one that was judged
		err := requests.Delete(ctx, r.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("withdraw certificate request %s of %s: %w", r.Name, r.Spec.Username, err)
		}
	}
	return nil
}

// leftOver says whether a request is for this node, by another token.
func leftOver(r certsv1.CertificateSigningRequest, node, token string) bool {
	by, ok := strings.CutPrefix(r.Spec.Username, bootstrapUser)
	if !ok || by == token {
		return false
	}
	_, err := nodeRequest(r.Spec.Request, node)
	return err == nil
}

// errNotOurs is a request that is neither approved nor worth a word.
var errNotOurs = errors.New("not ours to judge")

// approve judges every pending request for a signer.
func (c *Client) approve(ctx context.Context, signer string, judge func(certsv1.CertificateSigningRequest) (string, error)) (approved []string, refused []Refusal, err error) {
	requests := c.typed.CertificatesV1().CertificateSigningRequests()
	list, err := requests.List(ctx, metav1.ListOptions{FieldSelector: "spec.signerName=" + signer})
	if err != nil {
		return nil, nil, fmt.Errorf("list certificate requests: %w", err)
	}
	var failed []error
	for _, r := range list.Items {
		if decided(r) {
			continue
		}
		node, why := judge(r)
		switch {
		case errors.Is(why, errNotOurs):
			continue
		case why != nil:
			refused = append(refused, Refusal{r.Name, r.Spec.Username, why.Error()})
			continue
		}
		r.Status.Conditions = append(r.Status.Conditions, certsv1.CertificateSigningRequestCondition{
			Type: certsv1.CertificateApproved, Status: corev1.ConditionTrue,
			Reason: "DroverKnowsHost", Message: "drover knows " + node + " and these addresses",
		})
		_, err := requests.UpdateApproval(ctx, r.Name, &r, metav1.UpdateOptions{FieldManager: FieldManager})
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			continue // somebody else touched it; the next round sees what became of it
		case err != nil:
			failed = append(failed, fmt.Errorf("approve certificate request %s of %s: %w", r.Name, r.Spec.Username, err))
			continue
		}
		approved = append(approved, node)
	}
	slices.Sort(approved)
	slices.SortFunc(refused, func(a, b Refusal) int { return cmp.Compare(a.Request, b.Request) })
	return slices.Compact(approved), refused, errors.Join(failed...)
}

func decided(r certsv1.CertificateSigningRequest) bool {
	return len(r.Status.Certificate) > 0 || slices.ContainsFunc(r.Status.Conditions,
		func(c certsv1.CertificateSigningRequestCondition) bool {
			return c.Type == certsv1.CertificateApproved || c.Type == certsv1.CertificateDenied
		})
}

// checkServing says which known host asks, or why this is no request of one.
func checkServing(r certsv1.CertificateSigningRequest, known map[string]Addresses) (node string, err error) {
	node, ok := strings.CutPrefix(r.Spec.Username, nodeUser)
	if !ok {
		return "", errors.New("not asked by a kubelet")
	}
	if !slices.Contains(r.Spec.Groups, nodeGroup) {
		return "", errors.New("asked by a user outside the group " + nodeGroup)
	}
	addresses, ok := known[node]
	if !ok {
		return "", fmt.Errorf("%s is not a host of the inventory", node)
	}
	if err := checkUsages(r.Spec.Usages, certsv1.UsageServerAuth); err != nil {
		return "", err
	}
	request, err := nodeRequest(r.Spec.Request, node)
	if err != nil {
		return "", err
	}
	if len(request.DNSNames)+len(request.IPAddresses) == 0 {
		return "", errors.New("names no address")
	}
	for _, name := range request.DNSNames {
		if name != node && !slices.Contains(addresses.Names, name) {
			return "", fmt.Errorf("the name %q is not known as %s's", name, node)
		}
	}
	for _, raw := range request.IPAddresses {
		ip, ok := netip.AddrFromSlice(raw)
		if !ok || !slices.Contains(addresses.IPs, ip.Unmap()) {
			return "", fmt.Errorf("the address %s is not known as %s's", raw, node)
		}
	}
	return node, nil
}

// checkJoin says which node a token's request is for, or why it is not the one
// the token was made for.
func checkJoin(r certsv1.CertificateSigningRequest, joins map[string]string) (node string, err error) {
	token, ok := strings.CutPrefix(r.Spec.Username, bootstrapUser)
	if !ok {
		return "", errors.New("not asked with a bootstrap token")
	}
	node, ok = joins[token]
	if !ok {
		return "", fmt.Errorf("token %s is not one of a join under way", token)
	}
	if err := checkUsages(r.Spec.Usages, certsv1.UsageClientAuth); err != nil {
		return "", err
	}
	request, err := nodeRequest(r.Spec.Request, node)
	if err != nil {
		return "", err
	}
	if len(request.DNSNames)+len(request.IPAddresses) > 0 {
		return "", errors.New("a client certificate names no addresses")
	}
	return node, nil
}

// checkUsages allows what a kubelet asks for: its purpose and a signature, and
// key encipherment, which RSA keys need.
func checkUsages(usages []certsv1.KeyUsage, purpose certsv1.KeyUsage) error {
	for _, u := range usages {
		if u != purpose && u != certsv1.UsageDigitalSignature && u != certsv1.UsageKeyEncipherment {
			return fmt.Errorf("asks for the usage %q", u)
		}
	}
	for _, need := range []certsv1.KeyUsage{purpose, certsv1.UsageDigitalSignature} {
		if !slices.Contains(usages, need) {
			return fmt.Errorf("does not ask for the usage %q", need)
		}
	}
	return nil
}

// nodeRequest reads a request whose subject must be that of a node.
func nodeRequest(text []byte, node string) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("holds no single certificate request")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("is not signed by its own key: %w", err)
	}
	switch s := request.Subject; {
	case s.CommonName != nodeUser+node:
		return nil, fmt.Errorf("is for %q, not for %q", s.CommonName, nodeUser+node)
	case !slices.Equal(s.Organization, []string{nodeGroup}):
		return nil, fmt.Errorf("is for the organization %q, not for %q", s.Organization, nodeGroup)
	case len(request.EmailAddresses)+len(request.URIs) > 0:
		return nil, errors.New("names mail addresses or URIs")
	}
	return request, nil
}
