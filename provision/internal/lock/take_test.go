package lock

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
)

// shy refuses some times without showing a claim: it was withdrawn between its two
// looks.
type shy struct {
	*modelMaster
	times int
}

func (s *shy) Aside(ctx context.Context, c host.Cmd) (host.Result, error) {
	if c.Argv[4] == "take" && s.times > 0 {
		s.times--
		return host.Result{Stdout: []byte("@@drover-lock@@ begin\n@@drover-lock@@ end busy\n")}, nil
	}
	return s.modelMaster.Aside(ctx, c)
}

// A claim that is gone when its master tells of it is nobody's fault: it is tried
// again, and not for ever.
func TestAClaimThatIsGoneIsNotInTheWay(t *testing.T) {
	w := newWorld(1, 1)
	f := w.fleet()
	f.Masters = []Conn{&shy{w.masters[0], 2}}
	if h, err := f.take(t.Context(), Request{Claim: claimOf("a")}); err != nil || h.Epoch != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	began := w.now
	f.Masters = []Conn{&shy{w.masters[0], 1000}}
	_, err := f.take(t.Context(), Request{Claim: claimOf("b"), Seen: Seen{Epoch: 1}})
	var few *TooFewError
	if !errors.As(err, &few) || !strings.Contains(err.Error(), `0 of 1 could be had: m1 says "busy", and shows no claim that is in the way`) {
		t.Errorf("%v", err)
	}
	if w.now.Sub(began) < settling {
		t.Errorf("it was given up after %s", w.now.Sub(began))
	}
}

// Too few masters are an error at once, which tells of each why.
func TestTooFewMasters(t *testing.T) {
	w := newWorld(3, 1)
	w.masters[1].down = true
	f := w.fleet()
	w.masters[2].down = true // it was reached a moment ago
	_, err := f.take(t.Context(), Request{Claim: claimOf("a")})
	var few *TooFewError
	if !errors.As(err, &few) || few.Have != 1 || few.Of != 3 {
		t.Fatalf("%v", err)
	}
	for _, why := range []string{"m2: away", "m3: no answer"} {
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%q is not in: %v", why, err)
		}
	}
	w.masters[1].down, w.masters[2].down = false, false
	if s := w.fleet().Show(t.Context()); s.Held || s.Entry.Epoch != 1 || !s.Entry.Released {
		t.Errorf("what was claimed was not given back: %+v", s)
	}
}
