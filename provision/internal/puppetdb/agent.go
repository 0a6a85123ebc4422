package puppetdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Access is how PuppetDB is reached.
type Access struct {
	URL string // https://HOST:PORT, or http:// to this machine
	// Files of the certificate that is shown, its key, and the authority that
	// PuppetDB's certificate is of. Plain HTTP needs none.
	Cert, Key, CA string
}

// settings are Puppet's names of these files, in the order of fields.
var settings = []string{"hostcert", "hostprivkey", "localcacert"}

func (a *Access) fields() []*string { return []*string{&a.Cert, &a.Key, &a.CA} }

// agentLimit is how long Puppet may take to say where its files are: it is a second
// or two of starting Ruby.
const agentLimit = 20 * time.Second

// WithAgent is the access with the files of this machine's Puppet agent for those that
// are not given. Where they are differs between distributions, so Puppet is asked.
func (a Access) WithAgent(ctx context.Context) (Access, error) {
	if !strings.HasPrefix(a.URL, "https:") || a.Cert != "" && a.Key != "" && a.CA != "" {
		return a, nil
	}
	puppet, err := exec.LookPath("puppet")
	if err != nil {
		if puppet, err = exec.LookPath("/opt/puppetlabs/bin/puppet"); err != nil {
			return a, errors.New("which certificate to show to PuppetDB is not known: this machine has no puppet to ask; give cert, key and ca")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, agentLimit)
	defer cancel()
	c := exec.CommandContext(ctx, puppet, append([]string{"config", "print", "--section", "agent"}, settings...)...)
	c.WaitDelay = time.Second
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return a, fmt.Errorf("asking Puppet where its certificates are: %s: %w: %s", c, err, strings.TrimSpace(stderr.String()))
	}
	for i, field := range a.fields() {
		if *field != "" {
			continue
		}
		if *field = printed(out, settings[i]); *field == "" {
			return a, fmt.Errorf("asking Puppet where its certificates are: %s says nothing of %s; give cert, key and ca", c, settings[i])
		}
	}
	return a, nil
}

// printed is a setting as `puppet config print` shows several: NAME = VALUE.
func printed(out []byte, name string) string {
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
