package facts

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// parse reads a probe's output. Whatever a shell's start-up files print comes
// before the first section and is passed over; an output without its end is an
// error, never a host with less on it.
func parse(out string) (Snapshot, error) {
	s := Snapshot{
		Files: map[string]File{}, Dirs: map[string]File{}, Texts: map[string]string{},
		Units: map[string]Unit{}, Sysctls: map[string]string{}, Commands: map[string]bool{},
	}
	ended := false
	rest, more := strings.CutPrefix(out, marker)
	if !more {
		_, rest, more = strings.Cut(out, "\n"+marker)
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "\n"+marker)
		name, body, _ := strings.Cut(part, "\n")
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
	case "values":
		s.values(body)
	case "files", "digests":
		return s.files(body)
	case "units":
		s.units(body)
	case "commands":
		for _, c := range strings.Fields(body) {
			s.Commands[c] = true
		}
	case "bird":
		if !strings.HasPrefix(body, noBIRD) {
			s.BIRD = strings.TrimSuffix(body, "\n")
		}
	default:
		return fmt.Errorf("no such section")
	}
	return nil
}

// values reads what head prints of several files: each one's name, as in
// `==> NAME <==`, and then its line.
func (s *Snapshot) values(body string) {
	var of string
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "==> "); ok {
			of = strings.TrimSuffix(name, " <==")
			continue
		}
		if line == "" { // between two of them
			continue
		}
		key, sysctl := strings.CutPrefix(of, sysctls)
		switch {
		case of == machineID:
			s.MachineID = line
		case of == hostname:
			s.Hostname = line
		case of == memory:
			s.Memory = memTotal(line)
		case of == processors:
			s.CPUs = ranges(line)
		case sysctl:
			s.Sysctls[strings.ReplaceAll(key, "/", ".")] = strings.Join(strings.Fields(line), " ")
		}
	}
}

// memTotal reads `MemTotal:       24689752 kB`; 0 when it is something else.
func memTotal(line string) int64 {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "MemTotal:" || words[2] != "kB" {
		return 0
	}
	kib, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// ranges counts what 0-3,8 names; 0 when it is something else.
func ranges(line string) (n int) {
	for part := range strings.SplitSeq(line, ",") {
		first, last, many := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		b := a
		if many && err == nil {
			b, err = strconv.Atoi(last)
		}
		if err != nil || b < a {
			return 0
		}
		n += b - a + 1
	}
	return n
}

// files reads what files are, their digests, and the lines of texts, which may come
// in any order.
func (s *Snapshot) files(body string) error {
	sums, texts := map[string]string{}, map[string][]string{}
	err := eachLine(body, func(line string) error {
		if is, ok := strings.CutPrefix(line, "="); ok {
			return s.file(is)
		}
		if name, text, ok := strings.Cut(line, "\x00"); ok {
			texts[name] = append(texts[name], text)
			return nil
		}
		name, sum, err := digest(line)
		sums[name] = sum
		return err
	})
	if err != nil {
		return err
	}
	for name, sum := range sums {
		if f, ok := s.Files[name]; ok {
			f.SHA256 = sum
			s.Files[name] = f
		}
	}
	for name, lines := range texts {
		s.Texts[name] = strings.Join(lines, "\n")
	}
	for name, f := range s.Files {
		if f.Size == 0 && f.Link == "" && isText(name) { // it has no lines
			s.Texts[name] = ""
		}
	}
	return nil
}

func isText(name string) bool {
	return slices.ContainsFunc(textNames(), func(pattern string) bool {
		ok, err := path.Match(pattern, path.Base(name))
		return ok && err == nil
	})
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

// digest reads a line of sha256sum. A backslash in front says that those in the
// name are doubled.
func digest(line string) (name, sum string, err error) {
	sum, name, ok := strings.Cut(line, "  ")
	if hex, escaped := strings.CutPrefix(sum, `\`); escaped {
		sum, name = hex, strings.ReplaceAll(name, `\\`, `\`)
	}
	if !ok || len(sum) != 64 {
		return "", "", fmt.Errorf("line %q", line)
	}
	return name, "sha256:" + sum, nil
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

// pairs reads lines of KEY=VALUE.
func pairs(body string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(body) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			m[k] = v
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
