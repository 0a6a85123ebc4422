package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/droverctl/drover/cmd/internal/view"
)

// askForSudo asks for the password that sudo wants, before anything else: nobody is
// to wait for hosts first.
func (a *app) askForSudo(ctx context.Context) error {
	if !a.terminal.Present() {
		return usageError("--ask-become-pass asks on a terminal, and there is none: write ssh { become_password = file(…) } into the inventory")
	}
	password, err := a.terminal.Secret(ctx, "Password for sudo on the hosts: ")
	if err != nil {
		return err
	}
	a.secrets.Hide(string(password))
	a.sudoPassword = func(context.Context) (string, error) { return string(password), nil }
	return nil
}

// passphrases asks for those of encrypted keys, beside what p shows. It is asked
// again for one that was wrong.
func (a *app) passphrases(p *view.Progress) func(context.Context, string) ([]byte, error) {
	var mu sync.Mutex
	asked := map[string]bool{}
	return func(ctx context.Context, file string) (phrase []byte, err error) {
		question := fmt.Sprintf("Passphrase for %s: ", file)
		mu.Lock()
		if asked[file] {
			question = "That was not it. " + question
		}
		asked[file] = true
		mu.Unlock()
		aside := func(do func()) { do() }
		if p != nil {
			aside = p.Aside
		}
		aside(func() { phrase, err = a.terminal.Secret(ctx, question) })
		return phrase, err
	}
}
