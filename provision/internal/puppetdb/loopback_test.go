package puppetdb

import (
	"context"
	"testing"
)

// Whatever a name such as localhost leads to, plain HTTP stays on this machine.
func TestPlainHTTPStaysHere(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:80": true, "[::1]:8080": true,
		"10.0.0.1:8080": false, "[2001:db8::1]:8080": false, "0.0.0.0:1": false, "localhost:8080": false, "nonsense": false,
	} {
		if err := loopbackOnly(context.Background(), "tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}
