package lock

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// try calls the script once.
func (m *master) try(t *testing.T, verb string, epoch uint64, run string) answer {
	t.Helper()
	a, err := fleetOf(m).filled().ask(context.Background(), m, call{verb: verb, epoch: epoch, claim: claimOf(run)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (m *master) expect(t *testing.T, want, verb string, epoch uint64, run string) {
	t.Helper()
	if a := m.try(t, verb, epoch, run); a.verdict != want {
		t.Fatalf("%s %d by %s: %s, not %s: %+v", verb, epoch, run, a.verdict, want, a.entries)
	}
}

func everyShell(t *testing.T, do func(t *testing.T, m *master)) {
	for _, shell := range shells(t) {
		t.Run(filepath.Base(shell), func(t *testing.T) { do(t, newMaster(t, "m1", shell)) })
	}
}

func TestAClaimIsGoodForItsLease(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 1, "a")
		m.expect(t, granted, "take", 1, "a") // its answer was lost
		m.expect(t, busy, "take", 1, "b")
		m.expect(t, busy, "take", 2, "b")
		m.set(1050)
		m.expect(t, granted, "renew", 1, "a")
		m.set(1100)
		m.expect(t, busy, "take", 2, "b")
		m.set(1112)
		m.expect(t, outrun, "take", 1, "b") // an epoch is given once
		m.expect(t, granted, "take", 2, "b")
		m.expect(t, gone, "renew", 1, "a")
		if got := m.try(t, "show", 0, ""); len(got.entries) != 1 || got.entries[0].Run != "b" || got.entries[0].Left != 61*time.Second {
			t.Errorf("shown: %+v", got.entries)
		}
	})
}

func TestALeaseOutlivesTheMastersReboot(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.set(5)
		m.expect(t, granted, "take", 1, "a")
		m.boot = "boot-2"
		m.set(50) // it may have been renewed right before the reboot
		m.expect(t, busy, "take", 2, "b")
		m.expect(t, granted, "renew", 1, "a")
		m.set(100)
		m.expect(t, busy, "take", 2, "b")
		m.boot = "boot-3"
		m.set(60)
		m.expect(t, granted, "take", 2, "b")
	})
}

func TestWhatIsGivenBackIsFree(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 4, "a")
		m.expect(t, "withdrawn", "withdraw", 4, "b") // of another
		m.expect(t, busy, "take", 5, "b")
		m.expect(t, "withdrawn", "withdraw", 4, "a")
		m.expect(t, outrun, "take", 4, "b")
		m.expect(t, granted, "take", 5, "b")
		m.expect(t, "released", "release", 5, "b")
		m.expect(t, gone, "renew", 5, "b")
		m.expect(t, outrun, "take", 5, "a")
		m.expect(t, outrun, "take", 4, "a")
		m.expect(t, granted, "take", 6, "a")
		got := m.try(t, "show", 0, "")
		if len(got.entries) != 1 || got.entries[0].Epoch != 6 || got.entries[0].Owner != "a@admin" || got.entries[0].Reason != "drover apply" {
			t.Errorf("shown: %+v", got.entries)
		}
		m.expect(t, "released", "release", 6, "a")
		if got := m.try(t, "show", 0, "").entries[0]; !got.Released || !got.Free() {
			t.Errorf("shown after a release: %+v", got)
		}
	})
}

func TestGivingBackMakesNothing(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		for _, verb := range []string{"show", "release", "withdraw", "renew"} {
			m.try(t, verb, 1, "a")
		}
		if _, err := os.Stat(filepath.Dir(m.dir)); !os.IsNotExist(err) {
			t.Errorf("a directory was made: %v", err)
		}
	})
}

// What a killed script leaves stands in nobody's way.
func TestLeftoversAreNoClaims(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			".draft.abc": "run=z\nuntil=99999999\n", "x.drover": "run=z\n", "3.drover": "", "2.drover": "run=z\nttl=x\nuntil=1;reboot\nboot=boot-1\n",
		} {
			if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.expect(t, granted, "take", 4, "a")
	})
}

func TestTextsStayOneLineEach(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		c := claimOf("a")
		c.Reason = "x\nreleased=1\n" + strings.Repeat("ü", 300) + "$(reboot) 'q' `id`"
		c.Owner = "o=p=@q="
		a, err := fleetOf(m).filled().ask(context.Background(), m, call{verb: "take", epoch: 1, claim: c})
		if err != nil || len(a.entries) != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		if e := a.entries[0]; e.Released || e.Free() || e.Owner != c.Owner || !strings.HasPrefix(e.Reason, "x released=1 ü") {
			t.Errorf("read back: %+v", e)
		}
	})
}

// However many come at the same moment, at most one gets a master, also when they
// come with different epochs.
func TestOneOfManyAtOnce(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		for round := range 3 {
			var wg sync.WaitGroup
			verdicts := make([]string, 6)
			for i := range verdicts {
				// Each has a way of its own to the same files.
				way := &master{name: m.name, shell: m.shell, dir: m.dir, proc: t.TempDir(), boot: m.boot, clock: m.clock}
				wg.Go(func() {
					a, err := fleetOf(way).filled().ask(context.Background(), way,
						call{verb: "take", epoch: uint64(10*round + 1 + i%3), claim: claimOf(fmt.Sprint(round, i))})
					verdicts[i] = a.verdict
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			n := 0
			for _, v := range verdicts {
				if v == granted {
					n++
				}
			}
			if n > 1 {
				t.Fatalf("%d of them got it: %v", n, verdicts)
			}
			for _, e := range m.try(t, "show", 0, "").entries {
				m.try(t, "release", e.Epoch, e.Run)
			}
		}
	})
}

// A claim that is asked for once more, because the answer to the first was lost, is
// good for a whole lease from then on: that is what its holder counts on.
func TestAClaimAskedForAgainIsGoodForAWholeLease(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 1, "a")
		m.set(1050)
		m.expect(t, granted, "take", 1, "a")
		m.set(1100)
		m.expect(t, busy, "take", 2, "b")
		m.set(1112)
		m.expect(t, granted, "take", 2, "b")
	})
}

// Who withdraws has taken the place of all claims before: what was the highest epoch
// is known for ever, because hosts refuse who has a lower one.
func TestAMasterForgetsNoEpoch(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 7, "a")
		m.expect(t, "released", "release", 7, "a")
		m.expect(t, granted, "take", 8, "b")
		m.expect(t, "withdrawn", "withdraw", 8, "b")
		m.expect(t, outrun, "take", 1, "c")
		m.expect(t, outrun, "take", 8, "c")
		m.expect(t, granted, "take", 9, "c")
	})
}

// Who breaks the lock at the moment at which somebody takes it is not the one whose
// claim goes.
func TestALaterClaimIsNotClearedAway(t *testing.T) {
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 1, "x")
		m.expect(t, "released", "release", 1, "x")
		// The last look before the clearing reads the released claim: the later one comes
		// when all names have been listed.
		bin := t.TempDir()
		wrapped := fmt.Sprintf("#!/bin/sh\ncase $1 in *1.drover) echo >>%[1]s/looks; [ $(wc -l <%[1]s/looks) -ne 2 ] || echo run=breaker >%[2]s/6.drover;; esac\nexec %[3]s \"$@\"\n", bin, m.dir, cat)
		if err := os.WriteFile(filepath.Join(bin, "cat"), []byte(wrapped), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		m.expect(t, granted, "take", 5, "a")
		if looks, err := os.ReadFile(bin + "/looks"); err != nil || len(looks) < 2 {
			t.Fatalf("%q, %v", looks, err)
		}
		if _, err := os.Stat(m.dir + "/6.drover"); err != nil {
			t.Error(err)
		}
		m.expect(t, outrun, "renew", 5, "a")
	})
}

// A master that lost its power with a claim that had not come to its disk whole does
// not know whose it is. It is good for as long as it may be.
func TestAnEmptyClaimIsGoodAfterABoot(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		m.expect(t, granted, "take", 1, "a")
		if err := os.WriteFile(m.dir+"/1.drover", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m.boot = "boot-2"
		m.set(50)
		m.expect(t, busy, "take", 2, "b")
		m.set(61)
		m.expect(t, granted, "take", 2, "b")
	})
}
