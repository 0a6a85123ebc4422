package puppet

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/catalog"
)

// Managed is what an agent manages on its host.
type Managed struct{ catalog.Managed }

// line reads what the script tells of that. The catalog comes first, and counts more.
func (m *Managed) line(word, rest string) error {
	if word == "large" {
		size, path, _ := strings.Cut(rest, " ")
		m.Why = fmt.Sprintf("%s has %s bytes: that is more than drover reads", path, size)
		return nil
	}
	if m.From != "" {
		return nil
	}
	form, rest, _ := strings.Cut(rest, " ")
	stamp, encoded, ok := strings.Cut(rest, " ")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("no time")
	}
	content, err := decode(form, encoded)
	if err != nil {
		return err
	}
	defer content.Close()
	parse, from := catalog.Parse, "catalog"
	if word == "resources" {
		parse, from = catalog.ParseTitles, "resources.txt"
	}
	resources, err := parse(io.LimitReader(content, most))
	if err != nil { // somebody writes it at this moment, or it is of another form
		m.Why = err.Error()
		return nil //nolint:nilerr // it is a finding
	}
	m.Resources, m.From, m.At = resources, from, time.Unix(seconds, 0).UTC()
	return nil
}

func decode(form, encoded string) (io.ReadCloser, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return nil, err
	case form == "gzip":
		return gzip.NewReader(bytes.NewReader(raw))
	case form == "plain":
		return io.NopCloser(bytes.NewReader(raw)), nil
	}
	return nil, fmt.Errorf("the form %q is not known", form)
}
