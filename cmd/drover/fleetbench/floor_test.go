package fleetbench

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/fleettest"
)

// floor is the bare program: it connects to each host of a list at once, with
// drover's choice of algorithms, verifies its key, and runs one command on each.
func floor(args []string) error {
	key, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return err
	}
	list, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer list.Close()
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for lines := bufio.NewScanner(list); lines.Scan(); {
		addr, known, _ := strings.Cut(lines.Text(), " ")
		all.Go(func() {
			if err := ask(addr, known, args[2], signer); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", addr, err))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func ask(addr, known, command string, as ssh.Signer) error {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(known))
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		Config: ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}}, User: "root",
		Auth: []ssh.AuthMethod{ssh.PublicKeys(as)}, HostKeyCallback: ssh.FixedHostKey(key), HostKeyAlgorithms: []string{key.Type()},
	})
	if err != nil {
		return err
	}
	client := ssh.NewClient(c, chans, reqs)
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Output(command)
	return err
}

// floorOf is the floor of a fleet.
func floorOf(tb testing.TB, f *fleettest.Fleet) *exec.Cmd {
	var list strings.Builder
	for _, h := range f.Hosts {
		known, err := os.ReadFile(h.Server.KnownHosts)
		if err != nil {
			tb.Fatal(err)
		}
		_, key, _ := strings.Cut(strings.TrimSpace(string(known)), " ")
		fmt.Fprintf(&list, "127.0.0.1:%d %s\n", h.Server.Port, key)
	}
	return floorOn(tb, f.KeyFile, list.String(), "sh -c ': drover-start; exec \"$@\"' drover-0 true")
}

func floorOn(tb testing.TB, key, list, command string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		tb.Fatal(err)
	}
	return exec.Command(self, key, file, command)
}
