package facts

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// parse reads a probe's output. Whatever a shell's start-up files print comes
// before the first section and is passed over; an output without its end is an
// error, never a host with less on it.
func parse(out string) (Snapshot, error) {
	s := Snapshot{
		OS: map[string]string{}, Files: map[string]File{}, Dirs: map[string]File{}, Texts: map[string]string{},
		Units: map[string]Unit{}, Sysctls: map[string]string{}, Commands: map[string]bool{},
	}
	ended := false
	for _, part := range strings.Split("\n"+out, "\n"+marker)[1:] {
		name, body, _ := strings.Cut(part, "\n")
		if path, ok := strings.CutPrefix(name, "text "); ok {
			s.Texts[path] = strings.TrimSuffix(body, "\n")
			continue
		}
		if name == "end" {
			ended = true
			continue
		}
		if err := s.section(name, body); err != nil {
			return s, fmt.Errorf("section %s: %w", name, err)
		}
	}
	if !ended {
		return s, errCut
	}
	return s, nil
}

func (s *Snapshot) section(name, body string) error {
	switch name {
	case "os":
		s.OS = pairs(body)
	case "machine":
		return s.machine(pairs(body))
	case "files":
		return eachLine(body, s.file)
	case "sha256":
		return eachLine(body, s.digest)
	case "units":
		s.units(body)
	case "sysctls":
		for k, v := range pairs(body) {
			s.Sysctls[k] = strings.Join(strings.Fields(v), " ")
		}
	case "commands":
		for _, c := range strings.Fields(body) {
			s.Commands[c] = true
		}
	case "bird":
		if !strings.HasPrefix(body, noBIRD) {
			s.BIRD = strings.TrimSuffix(body, "\n")
		}
	case "texts":
	default:
		return fmt.Errorf("no such section")
	}
	return nil
}

func (s *Snapshot) machine(kv map[string]string) error {
	s.Hostname, s.MachineID, s.Kernel = kv["hostname"], kv["machine-id"], kv["kernel"]
	var err error
	if s.CPUs, err = strconv.Atoi(kv["cpus"]); err != nil {
		return fmt.Errorf("cpus: %w", err)
	}
	kib, err := strconv.ParseInt(kv["memory-kib"], 10, 64)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	s.Memory = kib << 10
	seconds, err := strconv.ParseInt(kv["clock"], 10, 64)
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	s.Clock = time.Unix(seconds, 0).UTC()
	return nil
}

// file reads a line of stat: mode (hexadecimal, with the type), owner, size,
// stamp, and the name, quoted by stat, with a link's target behind an arrow.
func (s *Snapshot) file(line string) error {
	fields := strings.SplitN(line, " ", 5)
	if len(fields) != 5 {
		return fmt.Errorf("line %q", line)
	}
	mode, err := strconv.ParseUint(fields[0], 16, 32)
	if err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	name, target, isLink := strings.Cut(fields[4], "' -> '")
	name = strings.Trim(name, "'")
	f := File{Mode: fs.FileMode(mode & 0o7777), Owner: fields[1], Size: size, Stamp: fields[3]}
	const typeMask, typeDir, typeFile, typeLink = 0xf000, 0x4000, 0x8000, 0xa000
	switch mode & typeMask {
	case typeDir:
		s.Dirs[name] = f
	case typeLink:
		if isLink {
			f.Link = strings.Trim(target, "'")
		}
		s.Files[name] = f
	case typeFile:
		s.Files[name] = f
	}
	return nil
}

func (s *Snapshot) digest(line string) error {
	sum, path, ok := strings.Cut(line, "  ")
	if !ok || len(sum) != 64 {
		return fmt.Errorf("line %q", line)
	}
	if f, ok := s.Files[path]; ok {
		f.SHA256 = "sha256:" + sum
		s.Files[path] = f
	}
	return nil
}

func (s *Snapshot) units(body string) {
	for _, block := range strings.Split(body, "\n\n") {
		kv := pairs(block)
		if kv["Id"] == "" {
			continue
		}
		s.Units[kv["Id"]] = Unit{
			Load: kv["LoadState"], Active: kv["ActiveState"], Sub: kv["SubState"], Enabled: kv["UnitFileState"],
			Reload: kv["NeedDaemonReload"] == "yes", Fragment: kv["FragmentPath"],
		}
	}
}

// pairs reads lines of KEY=VALUE; a value may be quoted as in os-release.
func pairs(body string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(body) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			m[k] = strings.Trim(v, `"`)
		}
	}
	return m
}

func eachLine(body string, do func(string) error) error {
	for line := range strings.Lines(body) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			continue
		}
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}
