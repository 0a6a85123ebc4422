package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/droverctl/drover/provision/host"
)

// Lost is what comes of nothing but connections that are gone.
func TestLost(t *testing.T) {
	lost := &host.UnreachableError{Host: "a", Err: errors.New("cut"), Lost: true}
	slow := &host.UnreachableError{Host: "a", Err: context.DeadlineExceeded}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{lost, true},
		{slow, false},
		{fmt.Errorf("asking the API: %w", &url.Error{Op: "Get", Err: lost}), true},
		{errors.Join(lost, lost), true},
		{errors.Join(lost, errors.New("it is not ready yet")), false},
		{errors.New("cut"), false},
	} {
		if got := host.Lost(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
