package lock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Request is how the lock is to be taken.
type Request struct {
	Claim
	Seen Seen
	// Wait is how long somebody else may hold it before that is an error.
	Wait time.Duration
	// Break takes it from whoever holds it.
	Break bool
	// Waiting is told once who is waited for; may be nil.
	Waiting func(*BusyError)
}

const (
	// settling is how long a claim may be one of somebody who does not get enough
	// masters, and gives it back.
	settling = 3 * time.Second
	// pace is the longest pause between two tries.
	pace = time.Second
)

// Take takes the lock, or says who holds it.
func (f Fleet) Take(ctx context.Context, r Request) (*Held, error) {
	h, err := f.filled().take(ctx, r)
	if err == nil {
		h.keep(ctx)
	}
	return h, err
}

// take takes it, and does not renew it yet.
func (f Fleet) take(ctx context.Context, r Request) (*Held, error) {
	start, epoch, over, told := f.clock.now(), r.Seen.Epoch+1, "", false
	if r.Break {
		over = "all"
	}
	for {
		began := f.clock.now()
		replies := f.claim(ctx, call{verb: "take", epoch: epoch, over: over, claim: r.Claim})
		won, rival, top, errs := f.count(replies)
		waited := f.clock.now().Sub(start)
		if f.Majority(func(m string) bool { return won[m] != nil }) {
			return f.hold(ctx, r, epoch, won, began), nil
		}
		f.giveBack(ctx, replies, call{verb: "withdraw", epoch: epoch, claim: r.Claim})
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		// A claim that was in the way may be gone when its master tells of it.
		vague := refusals(replies)
		if rival == nil && top < epoch && (len(vague) == 0 || waited >= max(r.Wait, settling)) {
			return nil, &TooFewError{Have: len(won), Of: max(len(f.Declared), len(f.Actual)), Errs: slices.Concat(errs, vague, f.Why)}
		}
		if r.Break && top >= epoch {
			return nil, errors.New("the fleet's lock was taken by another drover just now, and is not broken\n  fix: look with `drover lock show` who has it, and decide again")
		}
		if top >= epoch {
			epoch = top + 1
		}
		if rival != nil {
			rival.Waited = waited
			switch {
			case rival.Dead():
				over = rival.Run
				continue
			case rival.Waited >= r.Wait && (rival.Waited >= settling || f.settled(ctx, rival)):
				return nil, rival
			case r.Waiting != nil && !told && rival.Waited >= settling:
				told = true
				r.Waiting(rival)
			}
		}
		if err := f.clock.pause(ctx, pace/10+rand.N(pace*9/10)); err != nil {
			return nil, err
		}
	}
}

// claim asks the first master, and, when that agrees, the others at once: who comes
// second meets who came first there, and takes nothing that has to be given back.
func (f Fleet) claim(ctx context.Context, c call) []reply {
	var out []reply
	for i, m := range f.Masters {
		a, err := f.ask(ctx, m, c)
		out = append(out, reply{m, a, err})
		if err == nil && a.verdict == granted {
			return append(out, f.askAll(ctx, f.Masters[i+1:], c)...)
		}
		if err == nil {
			return out
		}
	}
	return out
}

// count tells who agreed, who stands in the way, what the highest epoch is, and
// what went wrong.
func (f Fleet) count(replies []reply) (won map[string]Conn, rival *BusyError, top uint64, errs []error) {
	won = map[string]Conn{}
	for _, r := range replies {
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		if r.verdict == granted {
			won[r.conn.Name()] = r.conn
			continue
		}
		top = max(top, highest(r.entries).Epoch)
		for _, e := range r.entries {
			if !e.Free() && (rival == nil || e.Left > rival.Left) {
				rival = &BusyError{Entry: e, Master: r.conn.Name()}
			}
		}
	}
	return won, rival, top, errs
}

// refusals are what masters said who did not agree.
func refusals(replies []reply) (errs []error) {
	for _, r := range replies {
		if r.err == nil && r.verdict != granted {
			errs = append(errs, fmt.Errorf("%s says %q, and shows no claim that is in the way", r.conn.Name(), r.verdict))
		}
	}
	return errs
}

// giveBack withdraws what was claimed, also where no answer came: it may have been
// granted. What cannot be given back ends with its lease.
func (f Fleet) giveBack(ctx context.Context, replies []reply, c call) {
	var to []Conn
	for _, r := range replies {
		if r.err != nil || r.verdict == granted {
			to = append(to, r.conn)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	f.askAll(ctx, to, c)
}

// settled reports whether a rival holds the lock for certain.
func (f Fleet) settled(ctx context.Context, rival *BusyError) bool {
	if rival.Age >= settling {
		return true
	}
	s := f.Show(ctx)
	return s.Held && s.Entry.Run == rival.Run
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
