package hosttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
)

// session is one command of a client.
type session struct {
	server *Server
	conn   *slowConn
	ch     ssh.Channel
	in     *bufio.Reader
	closed chan struct{} // by the client, or with the connection
}

func (s *Server) session(c *slowConn, n ssh.NewChannel) {
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	x := &session{server: s, conn: c, ch: ch, in: bufio.NewReader(ch), closed: make(chan struct{})}
	var ended sync.WaitGroup
	started := false
	for r := range reqs {
		switch {
		case r.Type == "exec" && !started:
			var p struct{ Line string }
			if err := ssh.Unmarshal(r.Payload, &p); err != nil {
				r.Reply(false, nil)
				continue
			}
			started = true
			r.Reply(true, nil)
			ended.Go(func() { x.exec(p.Line) })
		case r.Type == "subsystem" && !started && !s.conf.NoSFTP && string(r.Payload[4:]) == "sftp":
			started = true
			r.Reply(true, nil)
			ended.Go(x.sftp)
		case r.Type == "env":
			s.tb.Errorf("hosttest: an environment was sent, which others on the machine can read: %q", r.Payload)
			r.Reply(false, nil)
		default:
			r.Reply(false, nil)
		}
	}
	close(x.closed)
	ended.Wait()
}

// exec plays the login shell, sudo and the wrapper around the command.
func (x *session) exec(line string) {
	defer x.ch.Close()
	io.WriteString(x.ch, x.server.conf.Banner)
	res, err := x.shell(line)
	if err != nil {
		return // hung or cut: nothing is said
	}
	x.ch.Write(res.Stdout)
	x.ch.Stderr().Write(res.Stderr)
	x.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(res.Exit)}))
}

func (x *session) shell(line string) (host.Result, error) {
	tb := x.server.tb
	argv, err := words(line)
	if err != nil {
		tb.Errorf("%v", err)
		return fail(127, "%v", err), nil
	}
	if len(argv) > 0 && argv[0] == "sudo" {
		rest, res := x.sudo(argv[1:])
		if rest == nil {
			return res, nil
		}
		argv = rest
	} else if x.server.conf.User != "root" {
		tb.Errorf("hosttest: %s runs a command without sudo: %s", x.server.conf.User, line)
		return fail(126, "hosttest: not root"), nil
	}
	if len(argv) < 5 || argv[0] != "sh" || argv[1] != "-c" {
		tb.Errorf("hosttest: not a wrapped command: %q", argv)
		return fail(127, "hosttest: not a wrapped command"), nil
	}
	marker := argv[3]
	x.ch.Stderr().Write([]byte(marker + "\n"))
	io.WriteString(x.ch, marker+"\n")
	switch label, _, _ := strings.Cut(argv[2], ";"); label {
	case ": drover-start":
	case ": drover-start-after":
		for {
			l, err := x.in.ReadString('\n')
			if err != nil {
				return host.Result{Exit: 79}, nil
			}
			if l == marker+"\n" {
				break
			}
		}
	default:
		tb.Errorf("hosttest: unknown wrapper %q", label)
		return fail(127, "hosttest: unknown wrapper"), nil
	}
	return x.command(line, marker, argv[4:])
}

// command plays the command itself, and what goes wrong with it.
func (x *session) command(line, marker string, argv []string) (host.Result, error) {
	h := x.server.host
	under, argv := unguarded(argv)
	script := ""
	op := Op{Kind: OpExec, Line: line, Argv: argv}
	if len(argv) > 3 && argv[0] == "sh" && argv[1] == "-c" && strings.HasPrefix(argv[2], ": drover-") {
		script, op.Argv = argv[2], argv[3:] // the transport's own scripts are played by name
	}
	switch {
	case op.Argv[0] == "drover-write-files" && len(op.Argv) > 2:
		op.Path = op.Argv[2]
	case op.Argv[0] == "drover-place":
		op.Path = op.Argv[2]
	}
	fault, n := h.begin(op)
	if fault.Do == Full {
		fault.struck()
	}
	if op.Argv[0] == "drover-stop" && !fault.strikes(Before) {
		x.server.stop(op.Argv[1])
		h.finish(n, nil, 0)
		return host.Result{}, nil
	}
	x.server.began(marker, n)
	if fault.strikes(Before) && fault.Do != Fail {
		return host.Result{}, x.stop(fault)
	}
	if fault.strikes(Amid) {
		io.CopyN(io.Discard, x.in, int64(fault.Bytes))
		return host.Result{}, x.stop(fault)
	}
	var stdin bytes.Buffer
	if op.Argv[0] != "drover-stage" {
		io.Copy(&stdin, x.in)
	} else if !fault.strikes(Before) {
		return x.keep(n, op.Argv, under)
	}
	if fault.strikes(Before) {
		fault.struck()
		h.finish(n, stdin.Bytes(), fault.Exit)
		return fault.result(), nil
	}
	res, err := h.perform(n, Call{op.Argv, stdin.Bytes(), script}, under, false)
	if err != nil {
		return res, nil
	}
	if fault.strikes(After) {
		if fault.Do != Fail {
			return host.Result{}, x.stop(fault)
		}
		fault.struck()
		return fault.result(), nil
	}
	return res, nil
}

func (x *session) stop(f Fault) error {
	f.struck()
	switch f.Do {
	case Cut:
		x.conn.close()
	case Reboot:
		x.server.host.Reboot()
		x.server.CutAll()
	}
	<-x.closed
	return errors.New("hosttest: broken on purpose")
}

// sudo plays sudo's questions. It gives what is to be run, or how it ended.
func (x *session) sudo(args []string) (argv []string, _ host.Result) {
	conf, user := x.server.conf.Sudo, x.server.conf.User
	ask, prompt := false, ""
	for len(args) > 0 && args[0] != "--" {
		switch args[0] {
		case "-n":
		case "-S":
			ask = true
		case "-p":
			prompt, args = args[1], args[1:]
		default:
			return nil, fail(1, "sudo: invalid option %s", args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return nil, fail(1, "usage: sudo")
	}
	if conf.Denied {
		return nil, fail(1, "Sorry, user %s is not allowed to execute as root", user)
	}
	if conf.Password == "" || conf.Cached {
		return args[1:], host.Result{}
	}
	if !ask {
		return nil, fail(1, "sudo: a password is required")
	}
	for try := 1; try <= 3; try++ {
		io.WriteString(x.ch.Stderr(), prompt)
		got, err := x.in.ReadString('\n')
		if err != nil {
			return nil, fail(1, "sudo: no password was provided\nsudo: %d incorrect password attempt", try)
		}
		x.server.heard(strings.TrimSuffix(got, "\n"))
		if strings.TrimSuffix(got, "\n") == conf.Password {
			return args[1:], host.Result{}
		}
		io.WriteString(x.ch.Stderr(), "Sorry, try again.\n")
	}
	return nil, fail(1, "sudo: 3 incorrect password attempts")
}

// forward plays a direct-tcpip tunnel.
func (s *Server) forward(n ssh.NewChannel) {
	var p struct {
		Addr   string
		Port   uint32
		Origin string
		From   uint32
	}
	if err := ssh.Unmarshal(n.ExtraData(), &p); err != nil || s.conf.NoForwarding {
		n.Reject(ssh.Prohibited, "open failed")
		return
	}
	dial := s.conf.Tunnel
	if dial == nil {
		dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	far, err := dial(context.Background(), net.JoinHostPort(p.Addr, strconv.Itoa(int(p.Port))))
	if err != nil {
		n.Reject(ssh.ConnectionFailed, fmt.Sprint(err))
		return
	}
	defer far.Close()
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	go func() {
		io.Copy(far, ch)
		if t, ok := far.(*net.TCPConn); ok {
			t.CloseWrite()
		}
	}()
	io.Copy(ch, far)
}
