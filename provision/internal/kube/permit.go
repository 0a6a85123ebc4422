package kube

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Permit gives a write the time that it may take, or refuses it.
type Permit func(context.Context) (context.Context, context.CancelFunc, error)

// permitted sends what writes only with a permit.
type permitted struct {
	http.RoundTripper
	permit Permit
}

func (p permitted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.URL.Query().Get("dryRun") == "All" {
		return p.RoundTripper.RoundTrip(r)
	}
	ctx, cancel, err := p.permit(r.Context())
	if err != nil {
		return nil, fmt.Errorf("not sent: %w", err)
	}
	defer cancel()
	resp, err := p.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	// What answers a write is small. It is read while the permit lasts.
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
