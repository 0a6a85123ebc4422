package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// asker answers questions for passphrases.
type asker struct {
	mu      sync.Mutex
	answers []string // the last one again and again
	err     error
	asked   []string // the files
}

func (a *asker) ask(_ context.Context, file string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, file)
	return []byte(a.answers[min(len(a.asked), len(a.answers))-1]), a.err
}

func TestEncryptedKey(t *testing.T) {
	k, file := encrypted(t, "open sesame")
	_, s := served(t, hosttest.Config{Keys: []xssh.PublicKey{k.public()}})
	target := targetOf(s)
	target.IdentityFile = file
	for name, c := range map[string]struct {
		asker *asker
		held  bool
		asked int
		words []string // of the refusal; nil: let in
	}{
		"right":             {asker: &asker{answers: []string{"open sesame"}}, asked: 1},
		"right at last":     {asker: &asker{answers: []string{"", "wrong", "open sesame"}}, asked: 3},
		"wrong":             {asker: &asker{answers: []string{"wrong"}}, asked: 3, words: []string{"opening " + file, "3 passphrases were wrong", "ssh-add " + file}},
		"no answer":         {asker: &asker{answers: []string{""}, err: errors.New("hung up")}, asked: 1, words: []string{file, "hung up"}},
		"nobody to ask":     {words: []string{"root is not let in", file + " is encrypted", "nobody to ask", "ssh-add " + file, "terminal"}},
		"held by an agent":  {asker: &asker{answers: []string{"wrong"}}, held: true},
		"held, none to ask": {held: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := bare(t)
			if c.held {
				o.AgentSocket = runAgent(t, k)
			}
			if c.asker != nil {
				o.Passphrase = c.asker.ask
			}
			conn, err := ssh.Dial(context.Background(), target, o)
			if c.words != nil {
				wantAuthError(t, err, c.words...)
			} else if err != nil {
				t.Error(err)
			} else {
				conn.Close()
			}
			if c.asker != nil && len(c.asker.asked) != c.asked {
				t.Errorf("asked for %q", c.asker.asked)
			}
		})
	}
}

// However many hosts take a key, and jump hosts on the way to them, its passphrase
// is asked for once, and the hosts' patience is not that of who is asked.
func TestOnePassphraseForAll(t *testing.T) {
	k, file := encrypted(t, "open sesame")
	letsIn := hosttest.Config{Keys: []xssh.PublicKey{k.public()}}
	_, bastion := served(t, letsIn)
	config := fmt.Sprintf("Host bastion\n HostName %s\n Port %d\n UserKnownHostsFile %s\nHost *\n IdentityFile %s\n User root\n", bastion.Address, bastion.Port, bastion.KnownHosts, file)
	a := &asker{answers: []string{"open sesame"}}
	o := bare(t)
	o.ConfigFiles = []string{writeFile(t, "config", config)}
	o.Jumps, o.Keys, o.DialTimeout = &ssh.Jumps{}, &ssh.Keys{}, 3*time.Second
	defer o.Jumps.Close()
	o.Passphrase = func(ctx context.Context, file string) ([]byte, error) {
		time.Sleep(o.DialTimeout + 200*time.Millisecond)
		return a.ask(ctx, file)
	}
	var targets []ssh.Target
	for n := range 6 {
		_, s := served(t, letsIn)
		target := targetOf(s)
		if target.IdentityFile = ""; n%2 == 0 {
			target.Jump = "bastion"
		}
		targets = append(targets, target)
	}
	var all sync.WaitGroup
	for _, target := range targets {
		all.Go(func() {
			conn, err := ssh.Dial(context.Background(), target, o)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	all.Wait()
	if len(a.asked) != 1 {
		t.Errorf("asked %d times", len(a.asked))
	}
}

// What was asked for in vain is not asked for again by the next host.
func TestWrongPassphraseForAll(t *testing.T) {
	k, file := encrypted(t, "open sesame")
	a := &asker{answers: []string{"wrong"}}
	o := bare(t)
	o.Keys, o.Passphrase = &ssh.Keys{}, a.ask
	for range 2 {
		_, s := served(t, hosttest.Config{Keys: []xssh.PublicKey{k.public()}})
		target := targetOf(s)
		target.IdentityFile = file
		_, err := ssh.Dial(context.Background(), target, o)
		wantAuthError(t, err, "3 passphrases were wrong")
	}
	if len(a.asked) != 3 {
		t.Errorf("asked %d times", len(a.asked))
	}
}

// Nobody is asked for the passphrase of a key that the host does not take.
func TestPassphraseOfUselessKey(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target := targetOf(s)
	_, target.IdentityFile = encrypted(t, "open sesame")
	a := &asker{answers: []string{"open sesame"}}
	o := bare(t)
	o.Passphrase = a.ask
	_, err := ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "not let in")
	if a.asked != nil {
		t.Error("asked")
	}
}

// An encrypted key of the old format does not say which one it is; its .pub does.
func TestEncryptedKeyOfTheOldFormat(t *testing.T) {
	k, file := encryptedPEM(t, "open sesame")
	_, s := served(t, hosttest.Config{Keys: []xssh.PublicKey{k}})
	target := targetOf(s)
	target.IdentityFile = file
	a := &asker{answers: []string{"open sesame"}}
	o := bare(t)
	o.Passphrase = a.ask
	dial(t, target, o)
	if err := os.Remove(file + ".pub"); err != nil {
		t.Fatal(err)
	}
	_, err := ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "does not say which key it is", "ssh-keygen -y")
}
