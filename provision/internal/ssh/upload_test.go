package ssh_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// zeros is a file of zeros of any size.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

// blank is content of zeros, with its true digest.
func blank(t *testing.T, size int64) host.Content {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(zeros{}, 0, size)); err != nil {
		t.Fatal(err)
	}
	return host.Content{ReaderAt: zeros{}, Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}
}

func contentOf(text string) host.Content {
	sum := sha256.Sum256([]byte(text))
	return host.Content{ReaderAt: strings.NewReader(text), Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
}

var program = host.FileMeta{Mode: 0o755}

// wantOnly fails unless a directory of the machine holds these files alone: soon,
// because a machine notices a cut by itself.
func wantOnly(t *testing.T, h *hosttest.Host, dir string, names ...string) {
	t.Helper()
	want := strings.Join(append([]string{dir}, names...), " ")
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		s := h.State()
		got := strings.Join(s.Below(dir), " ")
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

// As root and as a user with sudo, the file comes whole, is root's, and nothing
// else is left; files of any size, also none.
func TestUpload(t *testing.T) {
	for _, user := range []string{"root", "ops"} {
		h, s := served(t, hosttest.Config{User: user, Sudo: hosttest.Sudo{Password: sudoPassword}, Latency: time.Millisecond})
		target := targetOf(s)
		if user != "root" {
			target = sudoTarget(s, sudoPassword)
		}
		c := dial(t, target, bare(t))
		for _, text := range []string{"", "small", string(bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)) + "and a bit"} {
			if err := c.Upload(context.Background(), "/opt/drover/kubelet/.sent", contentOf(text), program); err != nil {
				t.Fatal(user, err)
			}
			if f := h.State().Files["/opt/drover/kubelet/.sent"]; f.Content != text || f.Mode != 0o755 || f.Owner != "root:root" {
				t.Errorf("%s: %d bytes, %v %s, want %d", user, len(f.Content), f.Mode, f.Owner, len(text))
			}
		}
		wantOnly(t, h, "/opt", "/opt/drover", "/opt/drover/kubelet", "/opt/drover/kubelet/.sent")
	}
}

func TestUploadOfAnotherDigest(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Edit(func(s *hosttest.State) { s.Put("/opt/kubelet", "old", 0o755, "root:root") })
	content := blank(t, 1<<20)
	content.SHA256 = strings.Repeat("0", 64)
	wantRefused(t, dial(t, targetOf(s), bare(t)).Upload(context.Background(), "/opt/kubelet", content, program), "sha256 is")
	wantOnly(t, h, "/opt", "/opt/kubelet")
	if h.State().Files["/opt/kubelet"].Content != "old" {
		t.Error("content with another digest got the file's name")
	}
}

func wantRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	var e *host.ExitError
	if !errors.As(err, &e) || e.Exit != 65 {
		t.Fatalf("%T %v", err, err)
	}
	wantWords(t, e.Error(), words...)
}

// What is put into place is what root has verified, whatever the user's files
// become between the upload and the copy.
func TestSentFileIsSwapped(t *testing.T) {
	for name, swap := range map[string]func(s *hosttest.State, sent string){
		"by another": func(s *hosttest.State, sent string) { s.Put(sent, "evil!", 0o644, "ops:ops") },
		"by a symlink": func(s *hosttest.State, sent string) {
			s.Files[sent] = hosttest.File{Kind: hosttest.Symlink, Target: "/etc/shadow"}
		},
		"by nothing": func(s *hosttest.State, sent string) { delete(s.Files, sent) },
	} {
		t.Run(name, func(t *testing.T) {
			h, s := served(t, hosttest.Config{User: "ops"})
			h.Edit(func(s *hosttest.State) { s.Put("/opt/kubelet", "old", 0o755, "root:root") })
			h.Precede("drover-place", func(s *hosttest.State, c hosttest.Call) { swap(s, c.Argv[1]+"/sent") })
			err := dial(t, sudoTarget(s, ""), bare(t)).Upload(context.Background(), "/opt/kubelet", contentOf("good!"), program)
			wantRefused(t, err, "node-1", "/opt/kubelet")
			if got := h.State().Files["/opt/kubelet"].Content; got != "old" {
				t.Errorf("installed: %q", got)
			}
			wantOnly(t, h, "/opt", "/opt/kubelet")
		})
	}
}

func TestNoSFTP(t *testing.T) {
	h, s := served(t, hosttest.Config{NoSFTP: true})
	c := dial(t, targetOf(s), bare(t))
	err := c.Upload(context.Background(), "/opt/kubelet", contentOf("x"), program)
	var e *host.NoSFTPError
	if !errors.As(err, &e) || e.Host != "node-1" {
		t.Fatalf("%T %v", err, err)
	}
	wantWords(t, err.Error(), "node-1", "Subsystem sftp internal-sftp", `pull = "hosts"`)
	wantOnly(t, h, "/opt")
	if _, err := c.Run(context.Background(), run("true")); err != nil {
		t.Errorf("the connection is spoilt: %v", err)
	}
}

// Cut anywhere, the old file stays, nothing is left beside it, and running again
// goes on.
func TestUploadCut(t *testing.T) {
	for name, fault := range map[string]hosttest.Fault{
		"before the directory": {Match: "drover-stage"},
		"before the file":      {Match: "/sent"},
		"amid the file":        {Match: "/sent", When: hosttest.Amid, Bytes: 1 << 20},
		"after the file":       {Match: "/sent", When: hosttest.After},
		"before the copy":      {Match: "drover-place"},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := served(t, hosttest.Config{User: "ops"})
			h.Edit(func(s *hosttest.State) { s.Put("/opt/kubelet", "old", 0o755, "root:root") })
			fault.Do = hosttest.Cut
			h.Inject(fault)
			content := blank(t, 4<<20)
			err := dial(t, sudoTarget(s, ""), bare(t)).Upload(context.Background(), "/opt/kubelet", content, program)
			wantUnreachable(t, err, "node-1", "/opt/kubelet", "cut")
			wantOnly(t, h, "/opt", "/opt/kubelet")
			if h.State().Files["/opt/kubelet"].Content != "old" {
				t.Error("a part of the upload got the file's name")
			}
			if err := dial(t, sudoTarget(s, ""), bare(t)).Upload(context.Background(), "/opt/kubelet", content, program); err != nil {
				t.Fatal(err)
			}
			if got := h.State().Files["/opt/kubelet"].Content; int64(len(got)) != content.Size {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

// What a machine that lost its power kept is swept by the next upload.
func TestUploadSweeps(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Edit(func(s *hosttest.State) {
		s.Put("/opt/.drover-stage.kubelet.abc/sent", "half", 0o644, "ops:ops")
		s.Put("/opt/.drover-stage.kube-proxy.abc/sent", "another's", 0o644, "ops:ops")
	})
	if err := dial(t, targetOf(s), bare(t)).Upload(context.Background(), "/opt/kubelet", contentOf("x"), program); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, h, "/opt", "/opt/.drover-stage.kube-proxy.abc", "/opt/.drover-stage.kube-proxy.abc/sent", "/opt/kubelet")
}

// A transfer in which nothing moves has failed, however alive the connection is;
// one that is only slow goes on.
func TestUploadStalls(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Match: "/sent", Do: hosttest.Hang, When: hosttest.Amid, Bytes: 1 << 20})
	o := bare(t)
	o.StallTimeout = 400 * time.Millisecond
	c := dial(t, targetOf(s), o)
	err := c.Upload(context.Background(), "/opt/kubelet", blank(t, 8<<20), program)
	wantUnreachable(t, err, "node-1", "nothing has moved for 400ms")
	wantOnly(t, h, "/opt")
}

func TestUploadOverSlowLink(t *testing.T) {
	t.Parallel() // it mostly waits
	h, s := served(t, hosttest.Config{})
	o := bare(t)
	o.StallTimeout = 5 * time.Second // long beside a busy machine's own pauses, short beside the whole
	s.Slow(900 * time.Millisecond)   // with every 32 KiB: slower than anybody looks
	if err := dial(t, targetOf(s), o).Upload(context.Background(), "/opt/kubelet", blank(t, 256<<10), program); err != nil {
		t.Errorf("given up on a slow link: %v", err)
	}
	if len(h.State().Files["/opt/kubelet"].Content) != 256<<10 {
		t.Error("not the whole")
	}
}

func TestUploadIsCancelled(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Match: "/sent", Do: hosttest.Hang, When: hosttest.Amid, Bytes: 1 << 20})
	c := dial(t, targetOf(s), bare(t))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for len(h.Ops()) < 2 { // the file is open
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	err := c.Upload(ctx, "/opt/kubelet", blank(t, 8<<20), program)
	if wantUnreachable(t, err, "node-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	wantOnly(t, h, "/opt")
	if err := c.Upload(context.Background(), "/opt/kubelet", contentOf("x"), program); err != nil {
		t.Errorf("the connection is spoilt: %v", err)
	}
}

// A machine that dies in the middle of a large upload must not block the writer.
func TestDeadPeerAmidUpload(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	o := bare(t)
	o.KeepAliveInterval, o.KeepAliveCount = 50*time.Millisecond, 2
	c := dial(t, targetOf(s), o)
	h.Inject(hosttest.Fault{Match: "/sent", Do: hosttest.Hang, When: hosttest.Amid, Bytes: 1 << 20})
	go func() {
		for len(h.Ops()) < 2 {
			time.Sleep(time.Millisecond)
		}
		s.Freeze()
	}()
	wantUnreachable(t, c.Upload(context.Background(), "/opt/x", blank(t, 32<<20), program), "silent for")
}

// Reading fails here: the host is not blamed, and nothing is put into place.
func TestUploadCannotRead(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	broken := errors.New("disk on fire")
	content := host.Content{ReaderAt: burning{broken}, Size: 1 << 20, SHA256: strings.Repeat("0", 64)}
	err := dial(t, targetOf(s), bare(t)).Upload(context.Background(), "/opt/x", content, program)
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	wantWords(t, err.Error(), "reading what to send")
	wantOnly(t, h, "/opt")
}

type burning struct{ err error }

func (b burning) ReadAt(p []byte, at int64) (int, error) {
	if at > 100<<10 {
		return 0, b.err
	}
	return len(p), nil
}

// A disk that is full is called a failure by SFTP, and no more.
func TestUploadFails(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Match: "/sent", Do: hosttest.Fail, When: hosttest.Amid, Bytes: 1 << 20, Stderr: "Failure"})
	err := dial(t, targetOf(s), bare(t)).Upload(context.Background(), "/opt/x", blank(t, 4<<20), program)
	if err == nil {
		t.Fatal("it succeeds")
	}
	wantWords(t, err.Error(), "node-1", "/opt/", "Failure", "is there room")
	wantOnly(t, h, "/opt")
	h.Inject(hosttest.Fault{Match: "drover-stage", Do: hosttest.Fail, Exit: 1, Stderr: "mktemp: Read-only file system"})
	err = dial(t, targetOf(s), bare(t)).Upload(context.Background(), "/opt/x", contentOf("x"), program)
	var e *host.ExitError
	if !errors.As(err, &e) || e.Cmd != "stage /opt/x" {
		t.Errorf("%v", err)
	}
}

// Many uploads at once over one connection leave sessions for what else is to do.
func TestUploadsTakeTurns(t *testing.T) {
	h, s := served(t, hosttest.Config{Latency: time.Millisecond})
	c := dial(t, targetOf(s), bare(t))
	var wg sync.WaitGroup
	for _, name := range strings.Fields("a b c d e f g h i j k l") {
		wg.Go(func() {
			if err := c.Upload(context.Background(), "/opt/"+name, contentOf(name), program); err != nil {
				t.Error(err)
			}
			if _, err := c.Run(context.Background(), run("true")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := h.State(); len(s.Below("/opt")) != 13 {
		t.Errorf("%s", s.Below("/opt"))
	}
}
