package manifests

import (
	"fmt"
	"regexp"
	"strings"
)

// Containerd is a host's container runtime.
type Containerd struct {
	Service
	SandboxImage string // of the pause container, as in registry.k8s.io/pause:3.10.2
	CgroupDriver CgroupDriver
	// Mirrors are registries fetched from elsewhere.
	Mirrors []RegistryMirror
}

// RegistryMirror sends pulls from one registry to another place.
type RegistryMirror struct {
	Registry string // as in image names: docker.io
	// Mirror is host:port; the mirror sees the repository's own path, and the
	// registry's name as ?ns=.
	Mirror string
	// PlainHTTP speaks HTTP to the mirror. Image digests still guard what
	// drover pins; tags are the mirror's word.
	PlainHTTP bool
	// Fallback asks the registry itself for what the mirror lacks. Where
	// hosts cannot reach it, that is a long wait before an error.
	Fallback bool
}

// Files are the unit, config.toml and a hosts.toml for each mirror, which
// containerd reads at every pull.
func (c Containerd) Files() ([]File, error) {
	if c.SandboxImage == "" {
		return nil, fmt.Errorf("manifests: containerd: no sandbox image")
	}
	files, err := collect(
		func() (File, error) {
			return renderUnit(ContainerdUnit, c.Service, args{"config": ContainerdConfigPath}, 30)
		},
		func() (File, error) {
			text, err := render("containerd.toml", struct {
				Containerd
				SystemdCgroup                               bool
				Certs, CNIBins, CNIConf, Socket, RuncBinary string
			}{
				c, c.CgroupDriver != CgroupFS,
				ContainerdCertsDir, list(CNIPluginsDir, CNIBinDir), CNIConfDir, ContainerdSocket, "/opt/drover/runc/current/runc",
			})
			return File{ContainerdConfigPath, 0o644, text, Restart}, err
		},
	)
	if err != nil {
		return nil, err
	}
	for _, m := range c.Mirrors {
		f, err := m.file()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// host is what may stand in a registry's name: it becomes a directory and a
// TOML string.
var host = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?$|^\[[0-9a-fA-F:]+\](:[0-9]+)?$`)

func (m RegistryMirror) file() (File, error) {
	if !host.MatchString(m.Registry) || !host.MatchString(m.Mirror) {
		return File{}, fmt.Errorf("manifests: mirror %q of registry %q: both must be host or host:port", m.Mirror, m.Registry)
	}
	scheme := "https"
	if m.PlainHTTP {
		scheme = "http"
	}
	mirror := scheme + "://" + m.Mirror
	server := mirror
	if m.Fallback {
		server = "https://" + m.Registry
		if m.Registry == "docker.io" {
			server = "https://registry-1.docker.io"
		}
	}
	text, err := render("hosts.toml", struct{ Server, Mirror string }{server, mirror})
	return File{ContainerdCertsDir + "/" + m.Registry + "/hosts.toml", 0o644, text, Nothing}, err
}

func list(words ...string) string { return "['" + strings.Join(words, "', '") + "']" }
