package hosttest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/droverctl/drover/provision/host"
)

// userFiles serves the machine's files over SFTP to the user who has logged in,
// as far as drover goes: new files in directories of the user's own.
type userFiles struct{ *session }

// sftp plays the subsystem.
func (x *session) sftp() {
	defer x.ch.Close()
	f := userFiles{x}
	sftp.NewRequestServer(x.ch, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f}).Serve()
}

func (f userFiles) refused(r *sftp.Request) error {
	f.server.tb.Errorf("hosttest: SFTP %s of %s is not played; add it", r.Method, r.Filepath)
	return sftp.ErrSSHFxOpUnsupported
}

// Fileread, Filecmd and Filelist are not played.
func (f userFiles) Fileread(r *sftp.Request) (io.ReaderAt, error)   { return nil, f.refused(r) }
func (f userFiles) Filecmd(r *sftp.Request) error                   { return f.refused(r) }
func (f userFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) { return nil, f.refused(r) }

// Filewrite opens a new file.
func (f userFiles) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	if p := r.Pflags(); !p.Creat || !p.Excl {
		return nil, f.refused(r)
	}
	h, user := f.server.host, f.server.conf.User
	fault, n := h.begin(Op{Kind: OpSFTP, Argv: []string{"sftp", r.Filepath}, Path: r.Filepath})
	if fault.strikes(Before) {
		return nil, f.strike(fault, n)
	}
	var err error
	h.Edit(func(s *State) {
		dir := s.Files[path.Dir(r.Filepath)]
		owner, _, _ := strings.Cut(dir.Owner, ":")
		switch _, exists := s.Files[r.Filepath]; {
		case dir.Kind != Directory:
			err = os.ErrNotExist
		case user != "root" && (owner != user || dir.Mode&0o300 != 0o300):
			err = os.ErrPermission
		case exists:
			err = os.ErrExist
		default:
			err = s.put(r.Filepath, File{Kind: Regular, Mode: 0o644, Owner: user + ":" + user})
		}
	})
	if err != nil {
		return nil, err
	}
	return &upFile{userFiles: f, name: r.Filepath, n: n, fault: fault}, nil
}

// strike lets a fault happen; its error is what SFTP says of it.
func (f userFiles) strike(fault Fault, n int) error {
	if fault.Do == Fail {
		f.server.host.finish(n, nil, fault.Exit)
		return fmt.Errorf("hosttest: %s", fault.Stderr)
	}
	return f.stop(fault)
}

// upFile is a file that is being written.
type upFile struct {
	userFiles
	name  string
	n     int
	fault Fault

	mu      sync.Mutex
	content []byte
	written int
}

func (f *upFile) WriteAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	time.Sleep(f.server.pause())
	if end := int(at) + len(b); end > len(f.content) {
		f.content = append(f.content, make([]byte, end-len(f.content))...)
	}
	copy(f.content[at:], b)
	f.written += len(b)
	struck := f.fault.strikes(Amid) && f.written >= f.fault.Bytes
	f.mu.Unlock()
	if struck {
		return 0, f.strike(f.fault, f.n)
	}
	return len(b), nil
}

// Close is the end of the file, or of the connection: what came stays. A file
// that was removed meanwhile has no name to come back by.
func (f *upFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.server.host
	h.Edit(func(s *State) {
		if file, there := s.Files[f.name]; there {
			file.Content = string(f.content)
			s.Files[f.name] = file
		}
	})
	h.finish(f.n, f.content, 0)
	if f.fault.strikes(After) {
		return f.strike(f.fault, f.n)
	}
	return nil
}

// keep plays the stage of an upload: it lives until its stdin ends, also by a
// cut, and takes the directory with it.
func (x *session) keep(n int, argv []string, under epoch) (host.Result, error) {
	res, err := x.server.host.perform(n, Call{Argv: argv}, under, false)
	if err != nil || res.Exit != 0 {
		return res, nil
	}
	x.ch.Write(res.Stdout)
	io.Copy(io.Discard, x.in)
	x.server.host.Edit(func(s *State) {
		for _, name := range s.Below(strings.TrimPrefix(strings.TrimSpace(string(res.Stdout)), staged)) {
			delete(s.Files, name)
		}
	})
	select {
	case <-x.closed:
		return host.Result{}, errors.New("hosttest: its session is gone")
	default:
		return host.Result{}, nil
	}
}
