package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	certsv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/droverctl/drover/provision/internal/wait"
)

func TestTokensAreNotPrinted(t *testing.T) {
	tok := Token{ID: "abcdef", secret: "0123456789abcdef"}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "token", tok)
	for _, text := range []string{fmt.Sprint(tok), fmt.Sprintf("%v %+v %#v %s", tok, tok, tok, &tok), log.String()} {
		if strings.Contains(text, tok.secret) || !strings.Contains(text, tok.ID) {
			t.Errorf("%s", text)
		}
	}
	if err := tok.redact(errors.New("invalid value " + tok.secret)); strings.Contains(err.Error(), tok.secret) {
		t.Errorf("%v", err)
	}
	if got := tok.Value(); got != "abcdef.0123456789abcdef" {
		t.Errorf("value %q", got)
	}
}

// with is a plain client that shows a token.
func with(t *testing.T, tok Token) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, BearerToken: tok.Value(),
		TLSClientConfig: rest.TLSClientConfig{CAData: server.CA}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTokenOfAJoin(t *testing.T) {
	c := admin(t)
	tok, err := c.CreateToken(t.Context(), "kube-node-1")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(tok.Value()) {
		t.Error("the token is not one by its form")
	}
	secret, err := c.typed.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-"+tok.ID, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.Parse(time.RFC3339, string(secret.Data["expiration"]))
	if left := time.Until(end); err != nil || left > TokenLife || left < TokenLife-time.Minute {
		t.Errorf("expires %s: %v", secret.Data["expiration"], err)
	}

	// Kubelets come with it: they are in drover's group, ask for a certificate,
	// and get it for the one node the token is for.
	var user *authv1.SelfSubjectReview
	eventually(t, "the token to be good", func(ctx context.Context) (err error) {
		user, err = review(ctx, with(t, tok))
		return err
	})
	if !slices.Contains(user.Status.UserInfo.Groups, JoinGroup) || user.Status.UserInfo.Username != "system:bootstrap:"+tok.ID {
		t.Errorf("the token is %v", user.Status.UserInfo)
	}
	joinWith(t, c, tok)

	if err := c.DeleteToken(t.Context(), tok.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteToken(t.Context(), tok.ID); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	_, err = c.typed.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-"+tok.ID, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the token is still there: %v", err)
	}
}

func review(ctx context.Context, c *kubernetes.Clientset) (*authv1.SelfSubjectReview, error) {
	return c.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
}

// eventually waits for what the API does after its caches heard of it.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	err := wait.For(t.Context(), wait.Condition{What: what, Limit: 20 * time.Second, Every: 100 * time.Millisecond, Check: check}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// joinWith asks for two client certificates with a token: its node's, and another's.
func joinWith(t *testing.T, c *Client, tok Token) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "join"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:node-bootstrapper"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: JoinGroup}}}
	if _, err := c.typed.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"kube-node-1", "kube-node-2"} {
		r := &certsv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "join-" + node},
			Spec: certsv1.CertificateSigningRequestSpec{SignerName: certsv1.KubeAPIServerClientKubeletSignerName,
				Usages:  []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageClientAuth},
				Request: clientRequest(t, node)}}
		eventually(t, "the join to be allowed to ask", func(ctx context.Context) error {
			_, err := with(t, tok).CertificatesV1().CertificateSigningRequests().Create(ctx, r, metav1.CreateOptions{})
			return err
		})
	}
	approved, refused, err := c.ApproveJoin(t.Context(), map[string]string{tok.ID: "kube-node-1"})
	if err != nil || !slices.Equal(approved, []string{"kube-node-1"}) || len(refused) != 1 || refused[0].Request != "join-kube-node-2" {
		t.Errorf("approved %q, refused %v: %v", approved, refused, err)
	}
	// The other is one a killed run left behind; what was approved is nobody's to take.
	for node, token := range map[string]string{"kube-node-1": "aaaaaa", "kube-node-2": "aaaaaa"} {
		if err := c.WithdrawJoins(t.Context(), node, token); err != nil {
			t.Error(err)
		}
	}
	requests := c.typed.CertificatesV1().CertificateSigningRequests()
	if _, err := requests.Get(t.Context(), "join-kube-node-1", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := requests.Get(t.Context(), "join-kube-node-2", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a request that nobody will approve is still there: %v", err)
	}
}
