package ssh

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Files are the files of the machine drover runs on that say how to reach hosts:
// ssh_config, known_hosts, identities. Each is read once for all connections that
// share them, however many those are. The zero value is ready; nil remembers
// nothing.
type Files struct {
	mu      sync.Mutex
	texts   map[string]text
	configs map[string]configText
	globs   map[string]globbed
	known   map[string]known
	signers map[string]signer
}

type text struct {
	content []byte
	err     error
}

// configText is an ssh_config file as lines of words.
type configText struct {
	lines []configWords
	err   error // of reading it
}

// globbed are the files that a pattern names.
type globbed struct {
	names []string
	err   error
}

type known struct {
	keys *knownKeys
	err  error
}

type signer struct {
	ssh.Signer
	err error
}

// read reads a file.
func (f *Files) read(name string) ([]byte, error) {
	if f == nil {
		return os.ReadFile(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := recall(&f.texts, name, func() (t text) {
		t.content, t.err = os.ReadFile(name)
		return t
	})
	return t.content, t.err
}

// config reads an ssh_config file.
func (f *Files) config(name string) ([]configWords, error) {
	if f == nil {
		return readConfigText(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := recall(&f.configs, name, func() (t configText) {
		t.lines, t.err = readConfigText(name)
		return t
	})
	return t.lines, t.err
}

// glob tells which files a pattern names.
func (f *Files) glob(pattern string) ([]string, error) {
	if f == nil {
		return filepath.Glob(pattern)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	g := recall(&f.globs, pattern, func() (g globbed) {
		g.names, g.err = filepath.Glob(pattern)
		return g
	})
	return g.names, g.err
}

// knownHosts reads known_hosts files; those that do not exist are empty.
func (f *Files) knownHosts(names []string) (*knownKeys, error) {
	if f == nil {
		return readKnownHosts(names, os.ReadFile)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	k := recall(&f.known, strings.Join(names, "\x00"), func() (k known) {
		k.keys, k.err = readKnownHosts(names, os.ReadFile)
		return k
	})
	return k.keys, k.err
}

// parse reads a private key.
func (f *Files) parse(name string, content []byte) (ssh.Signer, error) {
	if f == nil {
		return ssh.ParsePrivateKey(content)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := recall(&f.signers, name, func() (s signer) {
		s.Signer, s.err = ssh.ParsePrivateKey(content)
		return s
	})
	return s.Signer, s.err
}

// recall makes what is not remembered yet.
func recall[T any](m *map[string]T, key string, fresh func() T) T {
	if v, ok := (*m)[key]; ok {
		return v
	}
	if *m == nil {
		*m = map[string]T{}
	}
	v := fresh()
	(*m)[key] = v
	return v
}
