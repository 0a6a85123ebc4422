package kube

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
	"github.com/droverctl/drover/provision/internal/kube/kubetest"
)

// server is the real kube-apiserver that the tests of this package share; nil
// with -short or without the binaries, and then missing says why.
var (
	server  *kubetest.Server
	missing error
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		missing = fmt.Errorf("-short leaves out what needs a real kube-apiserver")
		return m.Run()
	}
	etcd, api, err := kubetest.Find()
	if err != nil {
		missing = err
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	server, err = kubetest.Start(dir, etcd, api)
	if server != nil {
		defer server.Stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// admin is a client of the real API server that may do everything.
func admin(t *testing.T) *Client {
	t.Helper()
	if server == nil {
		t.Skip(missing)
	}
	return connect(t, server.Admin)
}

func connect(t *testing.T, as etcdtest.Pair) *Client {
	t.Helper()
	c, err := Connect(Config{Server: server.URL, CA: server.CA, ClientCert: as.Cert, ClientKey: as.Key,
		Timeout: 20 * time.Second, Warn: func(s string) { t.Logf("warning: %s", s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
