package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func serve(t *testing.T, files map[string]string) Source {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if rest, cut := strings.CutPrefix(content, "truncated:"); cut {
			w.Header().Set("Content-Length", fmt.Sprint(len(rest)+100))
			content = rest
		}
		fmt.Fprint(w, content)
	}))
	t.Cleanup(srv.Close)
	return Source{Mirror: srv.URL + "/", Client: srv.Client()}
}

func TestGet(t *testing.T) {
	good, bad := sum("content"), sum("other")
	tests := []struct {
		name  string
		files map[string]string
		file  File
		want  []string // parts of the error; empty means success
	}{
		{"bare digest", map[string]string{"/h/f": "content", "/h/f.sha256": good + "\n"},
			File{Path: "h/f", Sums: "h/f.sha256"}, nil},
		{"among others", map[string]string{"/h/f": "content", "/h/SHA256SUMS": bad + "  g\n" + good + " *./f\n"},
			File{Path: "h/f", Sums: "h/SHA256SUMS", Pinned: good}, nil},
		{"pinned only", map[string]string{"/h/f": "content"}, File{Path: "h/f", Pinned: good}, nil},
		{"corrupted", map[string]string{"/h/f": "other", "/h/f.sha256": good},
			File{Path: "h/f", Sums: "h/f.sha256"}, []string{good, bad, "/h/f.sha256 says"}},
		{"changed together with its digest", map[string]string{"/h/f": "other", "/h/f.sha256": bad},
			File{Path: "h/f", Sums: "h/f.sha256", Pinned: good}, []string{good, bad, "pinned"}},
		{"truncated", map[string]string{"/h/f": "truncated:content", "/h/f.sha256": good},
			File{Path: "h/f", Sums: "h/f.sha256"}, []string{"/h/f", "7 of 107 bytes"}},
		{"missing", map[string]string{"/h/f.sha256": good}, File{Path: "h/f", Sums: "h/f.sha256"}, []string{"/h/f", "404"}},
		{"no digest published", map[string]string{"/h/f": "content", "/h/S": good + "  g\n"},
			File{Path: "h/f", Sums: "h/S"}, []string{"/h/S", "no SHA-256 of f"}},
		{"nothing to check against", map[string]string{"/h/f": "content"}, File{Path: "h/f"}, []string{"no digest"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "sub", "f")
			got, err := serve(t, tt.files).Get(t.Context(), tt.file, dst)
			if len(tt.want) == 0 {
				content, readErr := os.ReadFile(dst)
				if err != nil || readErr != nil || got != good || string(content) != "content" {
					t.Fatalf("got %q, %q, errors %v, %v", got, content, err, readErr)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %q", err, part)
				}
			}
			if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the refused file is still there (%v)", err)
			}
		})
	}
}

func TestStalledTransfer(t *testing.T) {
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "some")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-done
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(done) })
	source := Source{Mirror: srv.URL, Stall: 50 * time.Millisecond}
	_, err := source.Get(t.Context(), File{Path: "h/f", Pinned: sum("content")}, filepath.Join(t.TempDir(), "f"))
	if err == nil || !strings.Contains(err.Error(), "after 4 bytes: nothing arrived for 50ms") {
		t.Errorf("error %v", err)
	}
}

func TestDefaultURL(t *testing.T) {
	if got := (Source{}).url("dl.k8s.io/release/x"); got != "https://dl.k8s.io/release/x" {
		t.Errorf("url: %s", got)
	}
}
