package view

import (
	"fmt"

	"github.com/droverctl/drover/provision"
)

// Snapshot shows a snapshot of etcd that was taken.
func (v View) Snapshot(s provision.Snapshot, format Format) error {
	if format == JSON {
		return v.json(s)
	}
	text := fmt.Sprintf("a snapshot of etcd: revision %d, %d keys, %d bytes\nsha256  %s\nkept    %s:%s", s.Revision, s.Keys, s.Size, s.SHA256, s.Host, s.Path)
	if s.Copy != "" {
		text += "\ncopied  " + s.Copy
	}
	return v.Line(text)
}
