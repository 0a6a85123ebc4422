package ssh_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

func sudoTarget(s *hosttest.Server, password string) ssh.Target {
	target := targetOf(s)
	target.User, target.Become = "ops", ssh.BecomeSudo
	if password != "" {
		target.SudoPassword = func(context.Context) (string, error) { return password, nil }
	}
	return target
}

// However sudo feels about the password, a file's content is its content.
func TestSudoNeverWritesThePassword(t *testing.T) {
	for name, sudo := range map[string]hosttest.Sudo{
		"asks":     {Password: sudoPassword},
		"cached":   {Password: sudoPassword, Cached: true},
		"nopasswd": {},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := served(t, hosttest.Config{User: "ops", Sudo: sudo, Banner: "hello\n"})
			var traces []ssh.Trace
			o := bare(t)
			o.Trace = func(tr ssh.Trace) { traces = append(traces, tr) }
			c := dial(t, sudoTarget(s, sudoPassword), o)
			for _, content := range []string{"BEGIN KEY\nEND KEY\n", "", "no newline", "\n\n"} {
				if err := c.WriteFile(context.Background(), "/etc/key", []byte(content), host.FileMeta{Mode: 0o600}); err != nil {
					t.Fatal(err)
				}
				if got := h.State().Files["/etc/key"].Content; got != content {
					t.Errorf("content %q, want %q", got, content)
				}
			}
			if res, err := c.Run(context.Background(), run("cat")); err != nil || len(res.Stdout) != 0 {
				t.Errorf("a command without stdin reads %q %v", res.Stdout, err)
			}
			if leaks := h.Leaks(sudoPassword); leaks != nil {
				t.Error(leaks)
			}
			if text := fmt.Sprintf("%+v", traces); strings.Contains(text, sudoPassword) || len(traces) != 5 {
				t.Errorf("traces: %s", text)
			}
		})
	}
}

func TestSudoRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		sudo     hosttest.Sudo
		password string
		words    []string
	}{
		{"wrong password", hosttest.Sudo{Password: "other"}, sudoPassword, []string{"sudo refuses ops", "incorrect password", "sudo -v"}},
		{"password needed", hosttest.Sudo{Password: "other"}, "", []string{"without a password", "a password is required", "NOPASSWD"}},
		{"not allowed", hosttest.Sudo{Denied: true}, sudoPassword, []string{"not allowed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := served(t, hosttest.Config{User: "ops", Sudo: c.sudo, Latency: 20 * time.Millisecond})
			conn := dial(t, sudoTarget(s, c.password), bare(t))
			begin := time.Now()
			_, err := conn.Run(context.Background(), host.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("SECRET CONTENT")})
			wantAuthError(t, err, c.words...)
			if strings.Contains(err.Error(), sudoPassword) {
				t.Error("the error holds the password")
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if n := len(h.Ops()); n != 0 {
				t.Errorf("%d commands ran", n)
			}
			for _, p := range s.Passwords() {
				if p != c.password {
					t.Errorf("sudo was given %q", p)
				}
			}
		})
	}
}

// A host that says the password back is not repeated.
func TestSudoPasswordIsRedacted(t *testing.T) {
	h, s := served(t, hosttest.Config{User: "ops", Sudo: hosttest.Sudo{Password: sudoPassword}})
	h.Handle("login", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Exit: 1, Stderr: []byte("bad: " + sudoPassword)}
	})
	_, err := dial(t, sudoTarget(s, sudoPassword), bare(t)).Run(context.Background(), run("login"))
	if err == nil || strings.Contains(err.Error(), sudoPassword) || !strings.Contains(err.Error(), "bad: ***") {
		t.Errorf("%v", err)
	}
}
