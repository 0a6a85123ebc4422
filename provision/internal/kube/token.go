package kube

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JoinGroup is the group of whoever comes with a bootstrap token of drover's.
const JoinGroup = "system:bootstrappers:drover"

// TokenLife is how long a bootstrap token of one join is good for. It is deleted
// after the join; its end covers the runs that are killed before.
const TokenLife = 15 * time.Minute

// Token is a bootstrap token. Whatever prints it prints its ID alone.
type Token struct {
	ID     string
	secret string
}

// Value is the token as kubelets present it: the secret itself.
func (t Token) Value() string { return t.ID + "." + t.secret }

// String is the token's ID.
func (t Token) String() string { return t.ID + ".***" }

// GoString keeps %#v from showing the secret.
func (t Token) GoString() string { return "kube.Token(" + t.String() + ")" }

// LogValue keeps logs from showing the secret.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// CreateToken makes a bootstrap token for the join of one node.
func (c *Client) CreateToken(ctx context.Context, node string) (Token, error) {
	// rand.Text is base32: 26 letters and digits of 130 random bits. A token
	// takes 6 for its ID and 16 for its secret.
	id, secret := strings.ToLower(rand.Text()), strings.ToLower(rand.Text())
	t := Token{ID: id[:6], secret: secret[:16]}
	object := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: tokenName(t.ID), Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{ManagedByLabel: ManagedBy},
		},
		Type: corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			"description":                    "drover: join of " + node,
			"token-id":                       t.ID,
			"token-secret":                   t.secret,
			"expiration":                     time.Now().Add(TokenLife).UTC().Format(time.RFC3339),
			"usage-bootstrap-authentication": "true",
			"auth-extra-groups":              JoinGroup,
		},
	}
	_, err := c.typed.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, object,
		metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		key := Key{Kind: "Secret", Namespace: object.Namespace, Name: object.Name}
		return Token{}, fmt.Errorf("make a bootstrap token for %s: %w", node, t.redact(quiet(key, err)))
	}
	return t, nil
}

// DeleteToken ends a token; one that is gone already is no error. API servers that
// have just seen it remember it for up to ten seconds more.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	err := c.typed.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, tokenName(id), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete bootstrap token %s: %w", id, err)
	}
	return nil
}

func tokenName(id string) string { return "bootstrap-token-" + id }

// redact replaces an error that quotes the secret.
func (t Token) redact(err error) error {
	if text := err.Error(); strings.Contains(text, t.secret) {
		return errors.New(strings.ReplaceAll(text, t.secret, "***"))
	}
	return err
}
